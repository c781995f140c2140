"""The digits: a fixed split, the bytes of every machine."""

from pathlib import Path

import pytest
import torch

from benchmarks.datasets.dataset import Split, mean_and_std
from benchmarks.datasets.load import load

DIGITS_8 = "05e606d1afb14e8f8860589fe368c2501635f62f4e06d4efac8ca3be6569c62a"


def rows(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


def test_digits_split_is_fixed_stratified_and_disjoint(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path, image_size=8)
    assert (len(digits.train), len(digits.test)) == (1297, 500)
    assert not rows(digits.train) & rows(digits.test)
    counts = torch.bincount(digits.test.labels)
    assert counts.min() >= 48
    assert counts.max() <= 52
    # At 8x8 nothing is resized: these are the bytes of every machine and version.
    assert digits.fingerprint == DIGITS_8


def test_digits_are_three_equal_channels_of_32_pixels(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path)
    assert digits.train.images.shape == (1297, 3, 32, 32)
    assert digits.train.images.dtype == torch.uint8
    assert torch.equal(digits.train.images[:, 0], digits.train.images[:, 2])
    assert int(digits.train.images.max()) == 255
    assert digits.classes == tuple("0123456789")
    mean, std = mean_and_std(digits.train.images)
    assert digits.mean == pytest.approx(mean, abs=1e-4)
    assert digits.std == pytest.approx(std, abs=1e-4)
