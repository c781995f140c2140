"""How much darker the edge is than the middle."""

import pytest
import torch

from benchmarks.evaluation.fidelity.border import border_contrast


def test_black_padding_is_a_frame_and_an_even_picture_has_none() -> None:
    even = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    assert border_contrast(even) == pytest.approx(0)
    padded = torch.zeros_like(even)
    padded[:, :, 4:-4, 4:-4] = 128
    assert border_contrast(padded) == pytest.approx(128 / 255)
    assert border_contrast(255 - padded) == pytest.approx(-128 / 255)


def test_it_is_a_mean_over_images() -> None:
    bright, dark = torch.zeros(2, 1, 3, 16, 16, dtype=torch.uint8)
    bright[..., 4:12, 4:12] = 255
    assert border_contrast(torch.cat([bright, dark])) == pytest.approx(0.5)
