"""The copy that a teacher works on: what it may share with the user's network, and what not."""

from pathlib import Path

import pytest
from contract_methods import small
from torch import Tensor

from naturalinversion import Teacher, synthesize
from tests.naturalinversion.teacher.zoo import Animal, Small, trained

PLAIN = Animal(Small).arguments()


class ReturnsNothing(Small):
    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


@pytest.mark.parametrize("way", ["adi", "dafl", "fast"])
def test_a_train_method_may_return_nothing(way: str, tmp_path: Path) -> None:
    """The teacher's, and that of students that compete or are trained."""
    model, student = ReturnsNothing(), ReturnsNothing()
    model.load_state_dict(trained(Small).state_dict())
    teacher = Teacher(model, **PLAIN)
    assert not teacher.model.training
    method = small(way)
    made = synthesize(method, teacher, tmp_path, batches=2, batch_size=8, student=student)
    assert len(made) == 16


class NeedsContiguous(Small):
    """Raises something else than PyTorch does for maps in channels_last layout."""

    error: type[Exception] = AssertionError

    def forward(self, images: Tensor) -> Tensor:
        if not images.is_contiguous():
            raise self.error("images in the usual layout, please")
        return super().forward(images)


class NeedsContiguousToo(NeedsContiguous):
    error = ValueError


@pytest.mark.parametrize("make", [NeedsContiguous, NeedsContiguousToo])
@pytest.mark.parametrize("way", ["adi", "dafl"])
def test_a_network_may_refuse_channels_last_by_any_error(
    make: type[NeedsContiguous], way: str, tmp_path: Path
) -> None:
    """As a teacher, and as a student that competes or is trained."""
    teacher = Teacher(trained(make), **PLAIN)
    made = synthesize(small(way), teacher, tmp_path, batches=1, batch_size=8, student=make())
    assert len(made) == 8
