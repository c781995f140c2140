"""How often the teacher gives a batch the labels that it was asked for."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from contract_methods import FromOutside
from torch import Tensor, nn

from baselines import METHODS
from naturalinversion import Batch, NaturalInversion, SyntheticDataset, Teacher, synthesize
from naturalinversion.image_store.shards import shard_path
from naturalinversion.progress import Progress
from naturalinversion.synthesis.agreement import low_agreement
from tests.naturalinversion.synthesis.small_runs import BATCHES, SIZE, fill

MakeTeacher = Callable[..., Teacher]


class Agreeable(FromOutside):
    """Labels its images as the teacher does, but for every ``wrong``-th."""

    def __init__(self, wrong: int) -> None:
        super().__init__()
        self.wrong = wrong
        self.iterations = 7

    def prepare(self, teacher: Teacher, *rest: Any) -> None:
        super().prepare(teacher, *rest)
        self._teacher = teacher

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        images = super().batch(labels, seed, progress).images.half().float()
        answers = self._teacher(images).argmax(1)
        answers[:: self.wrong] = (answers[:: self.wrong] + 1) % 4
        return Batch(images, answers)


@pytest.mark.parametrize(("wrong", "share"), [(4, 0.75), (1, 0.0), (2, 0.5)])
def test_the_result_says_how_often_the_teacher_agrees_and_warns_below_a_half(
    wrong: int, share: float, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    for _ in range(2):  # made, then read
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dataset = fill(make_teacher(), tmp_path, Agreeable(wrong))
        assert dataset.teacher_agreement == share
        said = [str(w.message) for w in caught if "asked label" in str(w.message)]
        assert said == (
            []
            if share >= 0.5
            else [
                "the teacher gives the asked label to 0% of the images only: they are far from "
                "their classes, and their labels are no ground truth: raise iterations (now 7)"
            ]
        )
        assert SyntheticDataset(tmp_path, 1).teacher_agreement == share


def test_a_batch_that_is_made_again_leaves_the_agreement_of_those_after_it(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    agreed = fill(make_teacher(), tmp_path, Agreeable(4)).meta.agreed
    shard_path(tmp_path, 0).unlink()
    synthesize(Agreeable(4), make_teacher(), tmp_path, batches=1, batch_size=SIZE)
    dataset = SyntheticDataset(tmp_path)
    assert (dataset.batches, dataset.meta.agreed) == (BATCHES, agreed)
    assert dataset.teacher_agreement == 0.75


def test_agreement_is_counted_in_the_precision_of_the_teacher(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """As all passes of the teacher are: another one answers otherwise for some images."""
    teacher = Teacher(
        make_teacher().model, num_classes=4, image_shape=(3, 16, 16), precision="bf16"
    )
    kinds: set[torch.dtype] = set()
    head = [module for module in teacher.model.modules() if isinstance(module, nn.Linear)][-1]
    hook = head.register_forward_hook(lambda module, given, made: kinds.add(made.dtype))
    fill(teacher, tmp_path, FromOutside())
    hook.remove()
    assert kinds == {torch.bfloat16}


def test_labels_that_shifts_and_mirroring_spoil_are_warned_of_with_these_settings() -> None:
    moved = low_agreement(0.3, NaturalInversion(iterations=7))
    assert moved.endswith(
        "; of a classifier that never saw shifted or mirrored images set jitter=0, flip=False"
    )
    assert "mirrored" not in low_agreement(0.3, NaturalInversion(jitter=0, flip=False))


@pytest.mark.parametrize("name", ["dafl", "dfad", "cmi", "fast"])
def test_images_that_a_student_was_trained_with_are_not_warned_of(name: str) -> None:
    """What it learned of them are the teacher's outputs, not their labels."""
    assert low_agreement(0.1, METHODS[name]()) == ""
