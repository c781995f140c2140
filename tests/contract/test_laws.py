"""The contract catches methods that break it, and says which law in the words of the subject."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import laws
import pytest
import torch
from contract_methods import FromOutside, SequentialFromOutside
from torch import Tensor, nn

from naturalinversion import Batch, Teacher, Training
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator
from naturalinversion.synthesis import StudentUse
from naturalinversion.synthesis.sequence import EarlierBatches


class KeepsABank(FromOutside):
    """Each batch builds on the one before, and the method does not say so."""

    before: Tensor | None = None

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        made = super().batch(labels, seed, progress)
        images = made.images if self.before is None else made.images + self.before
        self.before = made.images
        return Batch(images, labels)


class LosesItsState(SequentialFromOutside):
    """What it carries over is not in its state."""

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        pass


class KnowsTheEnd(SequentialFromOutside):
    """Its noise depends on how many batches are asked for."""

    def begin(self, teacher: Teacher, batches: int, batch_size: int) -> None:
        self.noise = 1 / batches


class LosesItsBank(FromOutside):
    """Its training collects a bank of draws; what it saves is only how far it got."""

    steps: ClassVar[int] = 6

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        super().prepare(teacher, student, seed, training)
        saved = training.restore()
        self.bank = torch.zeros(())
        for step in range(saved["step"] if saved else 0, self.steps):
            self.bank = self.bank + torch.rand((), generator=generator(derive(seed, step)))
            training.progress(1)
            training.save({"step": step + 1})

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        made = super().batch(labels, seed, progress)
        return Batch(made.images + self.bank, labels)


class DrawsGlobally(FromOutside):
    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        return Batch(torch.randn(len(labels), *self.shape), labels)


class IgnoresItsSeed(FromOutside):
    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        return super().batch(labels, 0, progress)


class LeavesAHook(FromOutside):
    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        super().prepare(teacher, student, seed, training)
        teacher.model.get_submodule("0").register_forward_hook(lambda *_: None)


class LabelsFromElsewhere(FromOutside):
    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        return Batch(super().batch(labels, seed, progress).images, labels + 1)


@dataclass(kw_only=True)
class TouchesTheRival(FromOutside):
    """It competes, and doesn't leave the student as it was: see `touch`."""

    student_use: ClassVar[StudentUse] = "compete"

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        super().prepare(teacher, student, seed, training)
        assert student is not None
        self.touch(list(student.parameters()))

    def touch(self, weights: list[nn.Parameter]) -> None:
        raise NotImplementedError


@dataclass(kw_only=True)
class TrainsTheRival(TouchesTheRival):
    def touch(self, weights: list[nn.Parameter]) -> None:
        with torch.no_grad():
            weights[0].add_(1)


@dataclass(kw_only=True)
class LeavesGradients(TouchesTheRival):
    """Its backward pass reaches one of the student's weights."""

    place: int = -1

    def touch(self, weights: list[nn.Parameter]) -> None:
        weights[self.place].requires_grad_().sum().mul(2).backward()  # type: ignore[no-untyped-call]


@dataclass(kw_only=True)
class AddsToAGradient(LeavesGradients):
    place: int = 0


@dataclass(kw_only=True)
class NeverTrains(FromOutside):
    student_use: ClassVar[StudentUse] = "joint"


@pytest.mark.parametrize(
    ("broken", "law", "said"),
    [
        (KeepsABank, laws.batches_stand_alone, "batch 1 depends on batch 0: "),
        (KnowsTheEnd, laws.batches_stand_alone, "batch 0 depends on how many are made"),
        (
            LosesItsState,
            laws.interruptions_leave_no_trace,
            "batch 1 is another one after an interruption, stopped after a step (2 of 3 calls): "
            "what it depends on is not in state_dict()",
        ),
        (
            LosesItsBank,
            laws.interruptions_leave_no_trace,
            "batch 0 is another one after an interruption, stopped after training.save (2 of 15 "
            "calls): what it depends on is not in training.save",
        ),
        (DrawsGlobally, laws.seeds_decide, "batch 0 is not the same again with the same seed"),
        (DrawsGlobally, laws.surroundings_stay, "the global random state was moved"),
        (IgnoresItsSeed, laws.seeds_decide, "batch 0 does not depend on the seed"),
        (LeavesAHook, laws.surroundings_stay, "a hook was left on the teacher's 0"),
        (LabelsFromElsewhere, laws.images_are_usable, "a label is 4, not one of 0 to 3"),
        (
            TrainsTheRival,
            laws.student_is_used_as_said,
            "the student's 0.weight was changed",
        ),
        (LeavesGradients, laws.surroundings_stay, "gradients were left on the student"),
        (AddsToAGradient, laws.surroundings_stay, "the student's gradient was changed"),
        (NeverTrains, laws.student_is_used_as_said, "the student was not trained"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_law_is_named(
    broken: type[FromOutside],
    law: Callable[[laws.Method, Path], None],
    said: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)) as caught:
        law(laws.Method(broken, laws.teacher()), tmp_path)
    assert "\n" not in str(caught.value)
    assert "tensor" not in str(caught.value)


def test_a_batch_that_depends_on_the_one_before_is_told_from_one_before_that(
    tmp_path: Path,
) -> None:
    """Batch 1 stands alone; batch 2 builds on it."""

    class Third(KeepsABank):
        def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
            if seed != derive(0, "batch", 2):
                self.before = None
            return super().batch(labels, seed, progress)

    with pytest.raises(AssertionError, match=r"^batch 2 depends on batch 1: "):
        laws.batches_stand_alone(laws.Method(Third, laws.teacher()), tmp_path)


def test_a_sequential_method_sees_what_is_stored_and_no_more(tmp_path: Path) -> None:
    seen: list[int] = []

    class Follows(SequentialFromOutside):
        def follow(self, earlier: EarlierBatches) -> None:
            seen.append(len(earlier))
            assert all(images.dtype == torch.float16 for images, _ in earlier)
            with pytest.raises(IndexError):
                earlier[len(earlier)]
            super().follow(earlier)

    laws.Method(Follows, laws.teacher()).run(tmp_path)
    assert seen == [0, 1, 2]
