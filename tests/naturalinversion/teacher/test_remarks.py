"""What is remarked on of a classifier that can be inverted, but hardly: a warning."""

import warnings

import pytest
import torch.nn.functional as F
from torch import Tensor

from naturalinversion import Teacher
from naturalinversion.errors import TeacherWarning
from tests.naturalinversion.teacher.zoo import Small, ZooModel, trained


class HalfFunctional(Small):
    """Normalises by a function once: a pass calls one of its two norm modules."""

    def maps(self, images: Tensor) -> Tensor:
        x = self.norm1.forward(self.conv1(images))
        return F.relu(self.norm2(self.conv2(self.pool(x))))  # type: ignore[no-any-return]


def test_an_untrained_network_is_a_warning() -> None:
    with pytest.warns(TeacherWarning, match="hold their initial statistics: it looks untrained"):
        Teacher(Small(), **ZooModel(Small).arguments())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(Small), **ZooModel(Small).arguments())


def test_images_that_are_not_normalised_are_a_warning() -> None:
    arguments = ZooModel(Small).arguments()
    plain = {"mean": (0, 0.0, 0), "std": (1, 1.0, 1)}
    with pytest.warns(TeacherWarning, match=r"mean is 0 and std is 1: .* model\(images \* std"):
        Teacher(trained(Small), **arguments | plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(Small), **arguments | {"mean": plain["mean"]})


def test_norms_that_are_not_called_are_named_in_a_warning() -> None:
    """R_BN is that of the others."""
    left_out = "R_BN leaves out 1 of the classifier's 2 batch norms, which .* as modules: 'norm1'$"
    with pytest.warns(TeacherWarning, match=left_out):
        teacher = Teacher(trained(HalfFunctional), **ZooModel(Small).arguments())
    assert len(teacher.batch_norms) == 1


class Keeping(Small):
    """Keeps its maps, as networks do whose features others read: all, or those of the last pass."""

    def __init__(self, forgets: bool) -> None:
        super().__init__()
        self.forgets = forgets
        self.kept: dict[str, list[Tensor]] = {"maps": []}

    def maps(self, images: Tensor) -> Tensor:
        if self.forgets:
            self.kept["maps"] = []
        maps = super().maps(images)
        self.kept["maps"].append(maps)
        return maps


def test_a_network_that_keeps_something_of_every_pass_is_a_warning() -> None:
    arguments = ZooModel(Small).arguments()
    with pytest.warns(TeacherWarning, match="attribute 'kept' grows with every pass, and memory"):
        Teacher(trained(lambda: Keeping(forgets=False)), **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(lambda: Keeping(forgets=True)), **arguments)
