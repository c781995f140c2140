"""Distillation: where the student starts, and which real images it is tested on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.load import load
from benchmarks.engine.kinds import Metrics
from benchmarks.evaluation import distillation, joint_student
from benchmarks.recipes.schema import TestSplit
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.real_images import splits
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier, save_classifier
from tests.benchmarks.evaluation.noise_cell import IMAGES_OF, NETWORK, STILL, undecided, work_in


def distil(folder: Path, seed: int = 0, **more: Any) -> Metrics:
    """The metrics of a student that hardly leaves its initial weights."""
    context = work_in(folder)
    if initial := more.pop("initial", None):
        context.inputs["initial"] = initial
    recipe = distillation.Recipe(
        arch="resnet18",
        dataset="digits",
        width=0.0625,
        image_size=8,
        seed=seed,
        training=STILL,
        temperature=4.0,
        temperature_squared=True,
        **{"images": IMAGES_OF, **more},
    )
    return distillation.run(context, recipe)


def stored(folder: Path) -> dict[str, Tensor]:
    """The parameters of the network that a cell left, by name."""
    model, _ = load_classifier(folder / WEIGHTS)
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def difference(first: Path, second: Path) -> float:
    """Between two stored networks: the largest of all parameters'."""
    one, two = stored(first), stored(second)
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def test_a_student_starts_from_its_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1), ("again", 0)):
        distil(tmp_path / name, seed)
    first, other, again = (tmp_path / name / "cell" for name in ("a", "b", "again"))
    assert (first / WEIGHTS).read_bytes() == (again / WEIGHTS).read_bytes()
    assert difference(first, other) > 0.01


def test_a_student_of_a_round_goes_on_from_the_one_before(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    save_classifier(before / WEIGHTS, NETWORK.build(5), NETWORK)
    distil(tmp_path / "work", initial=before)
    assert difference(tmp_path / "work" / "cell", before) < 1e-9


def joint(folder: Path, tested_on: TestSplit) -> Metrics:
    """The metrics of a random student that grew with a generator."""
    context = work_in(folder)
    images = folder / "images0"
    save_classifier(images / WEIGHTS, undecided(5), NETWORK)
    context = replace(
        context, inputs={"images": images}, origins={"images": {"teacher": folder / "teacher"}}
    )
    return joint_student.run(
        context, joint_student.Recipe(dataset="digits", image_size=8, tested_on=tested_on)
    )


def share_right(folder: Path, dataset: Dataset) -> float:
    """The accuracy that a stored network has on the test images of ``dataset``."""
    model, _ = load_classifier(folder / WEIGHTS)
    return accuracy(model, splits(dataset, work_in(folder / "again"))[1])


def student_of(protocol: str, folder: Path, tested_on: TestSplit) -> tuple[Metrics, Path]:
    """The metrics of a student of either protocol, and the folder that it is stored in."""
    if protocol == "joint":
        return joint(folder, tested_on), folder / "images0"
    before = folder / "before"
    before.mkdir(parents=True)
    save_classifier(before / WEIGHTS, undecided(5), NETWORK)
    return distil(folder, tested_on=tested_on, initial=before), folder / "cell"


@pytest.mark.parametrize("protocol", ["offline", "joint"])
def test_held_out_training_images_stand_in_for_the_test_images(
    protocol: str, tmp_path: Path
) -> None:
    digits = load("digits", root=tmp_path, image_size=8)
    held_out = digits.held_out()
    assert len(held_out.test) == pytest.approx(len(digits.train) / 10, abs=10)
    for tested_on, dataset in (("held-out", held_out), ("test", digits)):
        metrics, network = student_of(protocol, tmp_path / tested_on, tested_on)
        assert metrics["test_images"] == len(dataset.test)
        assert metrics["test_accuracy"] == share_right(network, dataset)


def answers(folder: Path, dataset: Dataset) -> Tensor:
    """The classes (N,) that a stored network gives the test images of ``dataset``."""
    model, _ = load_classifier(folder / WEIGHTS)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (dataset.mean, dataset.std))
    with torch.no_grad():
        found: Tensor = model.eval()((dataset.test.images / 255 - mean) / std).argmax(dim=1)
    return found


@pytest.mark.parametrize("tested_on", ["test", "held-out"])
@pytest.mark.parametrize("protocol", ["offline", "joint"])
def test_a_student_agrees_with_its_teacher_where_both_give_a_tested_image_one_class(
    protocol: str, tested_on: TestSplit, tmp_path: Path
) -> None:
    digits = load("digits", root=tmp_path, image_size=8)
    dataset = digits.held_out() if tested_on == "held-out" else digits
    metrics, network = student_of(protocol, tmp_path / "work", tested_on)
    student, teacher = answers(network, dataset), answers(tmp_path / "work" / "teacher", dataset)
    share = float((student == teacher).double().mean())
    assert 0 < share < 1
    assert share != metrics["test_accuracy"]
    assert metrics["student_teacher_agreement"] == pytest.approx(share, abs=1e-9)


def test_a_control_learns_from_real_images_drawn_by_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Tensor] = []
    balanced = DeviceDataset.balanced

    def watched(self: DeviceDataset, count: int, seed: int) -> DeviceDataset:
        part = balanced(self, count, seed)
        drawn.append(part.images)
        return part

    monkeypatch.setattr(DeviceDataset, "balanced", watched)
    for name, seed in (("a", 0), ("b", 1), ("again", 0)):
        found = distil(tmp_path / name, seed, images=ImageSelection([], 40))
        assert found["synthetic_images"] == 40
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
