"""Batches that diverge: made with their next seed, or named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from contract_methods import FromOutside
from torch import Tensor

from naturalinversion import Batch, Teacher
from naturalinversion.errors import DivergedError, StoreError
from naturalinversion.image_store.shards import read_shard, retried, shard_path
from naturalinversion.progress import Progress
from tests.naturalinversion.synthesis.small_runs import fill, small

MakeTeacher = Callable[..., Teacher]


class SecondIsNaN(FromOutside):
    """Its second batch is NaN, and so are as many in a row as ``failures`` says."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures, self.calls = failures, 0

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        self.calls += 1
        made = super().batch(labels, seed, progress)
        bad = 2 <= self.calls < 2 + self.failures
        return Batch(made.images * (float("nan") if bad else 1), made.labels)


def test_nan_in_the_teacher_names_term_iteration_and_batch(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    with torch.no_grad():
        list(teacher.model.parameters())[-1].fill_(float("nan"))
    pattern = "^batch 0: cross_entropy became nan at iteration 0, with every of 3 seeds$"
    with pytest.raises(DivergedError, match=pattern) as caught:
        fill(teacher, tmp_path, small())
    assert caught.value.exit_code == 1
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_rate_that_explodes_names_the_iteration_after_its_step(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match=r"^batch 0: \w+ became (nan|inf) at iteration 1, "):
        fill(make_teacher(), tmp_path, small(rate_scaling=1e38))


def test_a_batch_that_fails_leaves_those_before_it(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    pattern = "^batch 1: the images hold NaN or infinity, with every of 3 seeds$"
    with pytest.raises(DivergedError, match=pattern):
        fill(make_teacher(), tmp_path, SecondIsNaN(failures=3))
    assert [p.name for p in tmp_path.glob("*.safetensors")] == [shard_path(tmp_path, 0).name]


def test_a_batch_that_diverges_is_made_with_its_next_seed(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    fill(make_teacher(), whole, SecondIsNaN(failures=0))
    fill(make_teacher(), again, SecondIsNaN(failures=2))
    indices = range(len(list(whole.glob("*.safetensors"))))
    assert retried(whole, indices) == []
    assert retried(again, indices) == [1]
    same = [
        torch.equal(read_shard(whole, index)[0], read_shard(again, index)[0]) for index in indices
    ]
    assert same == [index != 1 for index in indices]
    (again / shard_path(again, 0).name).write_bytes(b"")
    with pytest.raises(StoreError, match="can't be read"):
        retried(again, indices)
