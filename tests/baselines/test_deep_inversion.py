"""DeepInversion: where its pixels start."""

from collections.abc import Callable

import pytest
import torch

from baselines.deep_inversion import DeepInversion
from naturalinversion import Teacher, Training


@pytest.mark.parametrize("std", [0.05, 0.2, 1.0])
def test_pixels_start_from_a_standard_normal_whatever_the_teachers_normalisation(
    std: float, make_teacher: Callable[..., Teacher]
) -> None:
    teacher = Teacher(
        make_teacher().model,
        num_classes=4,
        image_shape=(3, 16, 16),
        mean=(0.9, 0.1, 0.5),
        std=(std, std, std),
    )
    method = DeepInversion(iterations=1)
    method.prepare(teacher, None, 0, Training())
    images = method.source(torch.arange(64) % 4, 0).images.detach()
    assert images.shape == (64, 3, 16, 16)
    assert images.mean().item() == pytest.approx(0, abs=0.05)
    assert images.std().item() == pytest.approx(1, abs=0.05)
    for distance, share in ((1, 0.6827), (2, 0.9545)):  # of a normal distribution
        assert (images.abs() < distance).float().mean().item() == pytest.approx(share, abs=0.01)
