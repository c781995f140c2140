"""A data set in memory: its fingerprint, its size, and the numbers that normalise it."""

from pathlib import Path

import torch

from benchmarks.datasets.dataset import Split, fingerprint, mean_and_std
from benchmarks.datasets.load import load


def test_image_size_resizes_and_changes_the_fingerprint(tmp_path: Path) -> None:
    small = load("digits", root=tmp_path, image_size=16)
    assert small.test.images.shape == (500, 3, 16, 16)
    assert small.image_size == 16
    assert small.fingerprint != load("digits", root=tmp_path).fingerprint


def test_the_fingerprint_is_of_pixels_labels_and_their_split() -> None:
    images, labels = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2), torch.arange(4)
    first, second = Split(images[:2], labels[:2]), Split(images[2:], labels[2:])
    found = {
        fingerprint(first, second),
        fingerprint(second, first),
        fingerprint(first, Split(images[2:], labels[2:] + 1)),
        fingerprint(Split(images[:3], labels[:3]), Split(images[3:], labels[3:])),
    }
    assert len(found) == 4
    assert fingerprint(first, second) == fingerprint(Split(images[:2].clone(), labels[:2]), second)


def test_a_channel_without_variation_can_still_be_divided_by() -> None:
    mean, std = mean_and_std(torch.full((2, 3, 4, 4), 51, dtype=torch.uint8))
    assert mean == (0.2, 0.2, 0.2)
    assert min(std) > 0


def test_images_set_aside_are_a_tenth_of_every_class_and_of_training_only(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path)
    choosing = digits.held_out()
    assert len(choosing.train) + len(choosing.test) == len(digits.train)
    for label in range(10):
        of_class = int((digits.train.labels == label).sum())
        assert int((choosing.test.labels == label).sum()) == -(-of_class // 10)
    aside = {image.numpy().tobytes() for image in choosing.test.images}
    assert not aside & {image.numpy().tobytes() for image in choosing.train.images}
    assert not aside & {image.numpy().tobytes() for image in digits.test.images}
