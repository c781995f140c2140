"""The contract every method keeps, those of the suite and one from outside alike."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from contract_methods import NAMES, small
from torch import nn

from naturalinversion import SyntheticDataset, Teacher, Training, synthesize
from naturalinversion.classifiers import build
from naturalinversion.images import read_shard, shard_path
from naturalinversion.seeds import derive, seeded
from naturalinversion.synthesis import balanced_labels

BATCHES, SIZE = 3, 8
HERE = Path(__file__).parent
pytestmark = pytest.mark.parametrize("name", NAMES)


def student() -> nn.Module:
    with seeded(3):
        return build("resnet18", 4, 0.0625)


def run(name: str, teacher: Teacher, folder: Path, seed: int = 0) -> SyntheticDataset:
    return synthesize(
        small(name),
        teacher,
        folder,
        batches=BATCHES,
        batch_size=SIZE,
        seed=seed,
        student=student(),
        method=name,
    )


def content(folder: Path) -> list[bytes]:
    return [shard_path(folder, index).read_bytes() for index in range(BATCHES)]


def test_same_seed_same_bytes_other_seed_other_bytes(
    name: str, make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    teacher = make_teacher()
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(name, teacher, tmp_path / folder, seed)
    first = content(tmp_path / "a")
    assert first == content(tmp_path / "b")
    assert all(x != y for x, y in zip(first, content(tmp_path / "c"), strict=True))
    assert len(set(first)) == BATCHES, "batches of one run repeat each other"


def test_batch_alone_equals_batch_in_sequence(
    name: str, make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    teacher = make_teacher()
    run(name, teacher, tmp_path)
    method = small(name)
    method.prepare(teacher, student(), derive(0, "prepare"), Training())
    labels = balanced_labels(SIZE, 4, derive(0, "labels", 2))
    alone = method.batch(labels, derive(0, "batch", 2), lambda steps: None)
    images, stored_labels = read_shard(tmp_path, 2)
    assert torch.equal(alone.images.half(), images)
    assert torch.equal(alone.labels, stored_labels)


def test_interrupted_and_resumed_equals_uninterrupted(
    name: str, make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    teacher = make_teacher()
    run(name, teacher, tmp_path / "whole")
    run(name, teacher, tmp_path / "cut")
    shard_path(tmp_path / "cut", 1).unlink()
    damaged = shard_path(tmp_path / "cut", 2)
    damaged.write_bytes(damaged.read_bytes()[:-7])
    kept = shard_path(tmp_path / "cut", 0).stat().st_mtime_ns
    run(name, teacher, tmp_path / "cut")
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert shard_path(tmp_path / "cut", 0).stat().st_mtime_ns == kept, "batch 0 was made twice"


def test_teacher_hooks_and_random_state_are_left_alone(
    name: str, make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    teacher = make_teacher()
    before, fingerprint = torch.get_rng_state(), teacher.fingerprint
    run(name, teacher, tmp_path)
    assert teacher.fingerprint == fingerprint
    assert torch.equal(torch.get_rng_state(), before)
    for module in teacher.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module.training
    assert all(p.grad is None for p in teacher.model.parameters())


def test_images_are_finite_and_labels_are_classes(
    name: str, make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    dataset = run(name, make_teacher(), tmp_path)
    images, labels = dataset.tensors()
    assert images.shape == (BATCHES * SIZE, 3, 16, 16)
    assert images.isfinite().all()
    assert set(labels.tolist()) <= set(range(4))


def test_no_way_to_real_data(name: str) -> None:
    """A process that runs the method, with all that runs it, never loads what reads data sets."""
    script = f"""
import sys, tempfile, pathlib
import benchmarks.synthesis.generate_images
from naturalinversion import Teacher, synthesize
from naturalinversion.classifiers import build
from contract_methods import small
teacher = Teacher(build("resnet18", 4, 0.0625), num_classes=4, image_shape=(3, 16, 16))
with tempfile.TemporaryDirectory() as folder:
    synthesize(small({name!r}), teacher, pathlib.Path(folder), batches=1, batch_size=8,
               student=build("resnet18", 4, 0.0625))
readers = ("benchmarks.datasets", "torchvision.datasets", "sklearn.datasets")
print([module for module in sys.modules if module.startswith(readers)])
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_competing_student_is_not_changed(name: str, make_teacher: Callable[..., Teacher]) -> None:
    method, teacher, rival = small(name), make_teacher(), student()
    if method.student_use == "joint":
        untouched = {n: t.clone() for n, t in rival.state_dict().items()}
        method.prepare(teacher, rival, 0, Training())
        assert any(not torch.equal(t, untouched[n]) for n, t in rival.state_dict().items())
        return
    before = {n: t.clone() for n, t in rival.state_dict().items()}
    method.prepare(teacher, rival, 0, Training())
    method.batch(torch.arange(8) % 4, 0, lambda steps: None)
    assert all(torch.equal(t, before[n]) for n, t in rival.state_dict().items())
