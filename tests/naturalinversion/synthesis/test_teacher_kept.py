"""A method that changes its teacher ends in one line, and what it made is not stored."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from contract_methods import FromOutside
from torch import Tensor, nn

from naturalinversion import Batch, Teacher, Training, synthesize
from naturalinversion.errors import MethodError
from naturalinversion.image_store.shards import shard_is_whole
from naturalinversion.progress import Progress
from tests.naturalinversion.teacher.zoo import Counts, Small, ZooModel, trained

Change = Callable[[nn.Module], object]


def one_weight(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters())[0] += 0.1


def statistics(model: nn.Module) -> None:
    model.train()(torch.randn(4, *ZooModel(Small).shape))
    model.eval()


def the_same_again(model: nn.Module) -> None:
    model.to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        next(model.parameters()).add_(0.0)


@dataclass(kw_only=True)
class Changes(FromOutside):
    """Does something to its teacher in its second batch."""

    def __post_init__(self) -> None:
        self.what: Change = lambda model: None
        self.made = 0

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        super().prepare(teacher, student, seed, training)
        self.network = teacher.model

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        self.made += 1
        batch = super().batch(labels, seed, progress)
        if self.made == 2:
            self.what(self.network)
        return batch


def run(what: Change, folder: Path, make: Callable[[], nn.Module] = Small) -> None:
    method = Changes()
    method.what = what
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        teacher = Teacher(trained(make), **ZooModel(Small).arguments())
        synthesize(method, teacher, folder, batches=2, batch_size=4, method="mine")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda model: model.train(), "the teacher was put in training mode; make the"),
        (
            lambda model: model.get_submodule("norm2").train(),
            "the teacher was put in training mode, first its 'norm2'; make the teacher anew$",
        ),
        (one_weight, "the teacher's 'conv1.weight' was changed, which must stay as it"),
        (statistics, "the teacher's 'norm1.running_mean' was changed, which must"),
    ],
)
def test_a_method_that_changes_its_teacher_is_refused(
    what: Change, says: str, tmp_path: Path
) -> None:
    with pytest.raises(MethodError, match=f"^mine, batch 1: {says}"):
        run(what, tmp_path)
    assert shard_is_whole(tmp_path, 0, None)
    assert not shard_is_whole(tmp_path, 1, None)


def stops_in_training_mode(model: nn.Module) -> None:
    model.train()
    raise KeyboardInterrupt


@pytest.mark.parametrize("what", [lambda model: model.train(), stops_in_training_mode])
def test_the_next_call_has_the_teacher_in_eval_mode(what: Change, tmp_path: Path) -> None:
    """As in a notebook, where the teacher is made once: the same fault is seen again."""
    method = Changes()
    method.what = what
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        teacher = Teacher(trained(Small), **ZooModel(Small).arguments())
    for folder in ("first", "second"):
        method.made = 0
        with pytest.raises((MethodError, KeyboardInterrupt)):
            synthesize(method, teacher, tmp_path / folder, batches=2, batch_size=4)
        assert not any(module.training for module in teacher.model.modules())


@pytest.mark.parametrize("make", [Small, Counts])
def test_what_leaves_the_values_as_they_are_is_no_change(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    """Nor are the buffers that the network's own passes write."""
    run(the_same_again, tmp_path, make)
