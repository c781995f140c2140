"""The Feature Transfer Pyramid: which of the classifier's maps it reads."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from naturalinversion import NaturalInversion, Teacher, synthesize
from naturalinversion.errors import SettingError
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.seeds import seeded


@pytest.mark.parametrize("used", [(1,), (4,), (2, 3), (), None])
def test_maps_are_picked_from_the_finest_which_is_1(
    used: tuple[int, ...] | None, make_teacher: Callable[..., Teacher]
) -> None:
    """A map that is left out has no influence on the image."""
    teacher = make_teacher()
    images = torch.randn(2, 3, 16, 16)
    maps = [found.detach().requires_grad_() for found in teacher.observe(images, maps=True).maps]
    assert [found.shape[-1] for found in maps] == [16, 8, 4, 2]
    with seeded(0):
        pyramid = FeatureTransferPyramid(teacher.stages, 16, used=used)
    made = pyramid(images, maps).square().sum()
    slopes = torch.autograd.grad(made, maps, allow_unused=True)
    read = {number for number, slope in enumerate(slopes, 1) if slope is not None and slope.any()}
    assert read == set(range(1, 5) if used is None else used)


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.TeacherWarning")
def test_a_classifier_without_feature_maps_is_told_to_go_without_a_pyramid(tmp_path: Path) -> None:
    norm = nn.BatchNorm2d(4)
    model = nn.Sequential(nn.Conv2d(3, 4, 16), norm, nn.Flatten(), nn.Linear(4, 4))  # one pixel
    teacher = Teacher(model, num_classes=4, image_shape=(3, 16, 16))
    small = {"iterations": 1, "latent": 8, "generator_width": 0.1}
    with pytest.raises(SettingError) as caught:
        synthesize(NaturalInversion(**small), teacher, tmp_path / "a", batches=1, batch_size=4)
    assert str(caught.value) == (
        "the classifier has no feature maps for a pyramid that smallest_stage lets in (by default "
        "an eighth of the images' shorter side): set pyramid to false"
    )
    bare = NaturalInversion(pyramid=False, **small)
    assert len(synthesize(bare, teacher, tmp_path / "b", batches=1, batch_size=4)) == 4
