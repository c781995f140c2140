"""Features that CMI reads inside a teacher, of types and calls of others' networks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.teacher_features import FeatureTaps
from naturalinversion import Teacher, Training
from naturalinversion.errors import SettingError
from tests.baselines.bank_methods import cmi, fast, student
from tests.naturalinversion.teacher.zoo import CLASSES, ZOO, Small, trained


class ByKeyword(Small):
    """Calls its norms by keyword."""

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm1(input=self.conv1(images))))
        return self.pool(F.relu(self.norm2(input=self.conv2(x))))  # type: ignore[no-any-return]


def test_norms_may_be_called_by_keyword() -> None:
    plain = ZOO["plain"].make()
    named = ByKeyword()
    named.load_state_dict(plain.state_dict())
    images = torch.randn(6, 3, 16, 16)
    found = []
    for model in (plain, named):
        teacher = Teacher(model, num_classes=CLASSES, image_shape=(3, 16, 16))
        taps = FeatureTaps(teacher, "batch norms")
        taps.observe(images)
        found.append(taps.last)
    assert torch.equal(*found)


def test_features_are_as_wide_as_the_teacher() -> None:
    for name, dtype in (
        ("double", torch.float64),
        ("plain", torch.float32),
        ("bfloat16", torch.float32),
    ):
        teacher = Teacher(ZOO[name].make(), num_classes=CLASSES, image_shape=(3, 16, 16))
        assert FeatureTaps(teacher, "batch norms").dtype == dtype


@pytest.mark.parametrize("method", [cmi, fast])
def test_a_teacher_in_float64_is_inverted(method: Callable[..., Any]) -> None:
    made = method()
    teacher = Teacher(ZOO["double"].make(), num_classes=CLASSES, image_shape=(3, 16, 16))
    made.prepare(teacher, student().double(), 0, Training())
    for seed in range(2):
        batch = made.batch(torch.arange(8) % CLASSES, seed, lambda done: None)
        assert batch.images.dtype == torch.float64
        assert all(history.isfinite().all() for history in batch.losses.values())


class Patches(Small):
    """Normalises quarters of its images, each as an image of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.norm0 = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        halves = torch.cat(images.chunk(2, dim=2))
        return super().forward(torch.cat(self.norm0(halves).chunk(2), dim=2))


def test_a_teacher_that_takes_its_images_apart_is_refused() -> None:
    teacher = Teacher(trained(Patches), num_classes=CLASSES, image_shape=(3, 16, 16))
    with pytest.raises(SettingError, match="sees another number of images than it is given"):
        FeatureTaps(teacher, "batch norms")
