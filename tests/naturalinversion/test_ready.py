"""Classifiers that come with the library: whole, described, and refused when damaged."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from naturalinversion import Teacher
from naturalinversion.classifiers import ready
from naturalinversion.classifiers.ready import FOLDER, describe, load_ready, ready_names
from naturalinversion.errors import UsageError
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD

PROMISED = {"cifar10-resnet34": 0.90, "cifar10-vgg11": 0.86, "cifar100-vgg16": 0.60}


@pytest.mark.parametrize("name", ready_names())
def test_each_is_small_described_and_of_the_accuracy_promised(name: str) -> None:
    known = describe(name)
    assert known.name == name
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 3_000_000
    assert known.test_accuracy >= PROMISED[name]
    assert len(known.classes) == (100 if known.dataset == "cifar100" else 10)
    model, classifier = load_ready(name)
    assert (classifier.arch, classifier.width) == (known.recipe["arch"], known.recipe["width"])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ready_names())
def test_teachers_of_cifar_are_normalised_as_those_that_were_trained(name: str) -> None:
    """What stands in the code is what their images were divided by, CIFAR-100's too."""
    _, classifier = load_ready(name)
    assert (classifier.mean, classifier.std) == (CIFAR10_MEAN, CIFAR10_STD)
    teacher = Teacher.ready(name)
    assert (teacher.mean, teacher.std) == (CIFAR10_MEAN, CIFAR10_STD)


def test_a_teacher_of_one_shows_the_statistics_and_feature_maps_of_its_layers() -> None:
    teacher = Teacher.ready("cifar10-vgg11")
    assert teacher.num_classes == 10
    assert teacher.image_shape == (3, 32, 32)
    seen = teacher.observe(torch.zeros(2, 3, 32, 32), statistics=True, maps=True)
    assert len(seen.statistics) == 8
    assert [maps.shape[-1] for maps in seen.maps] == [32, 16, 8, 4]


def test_another_name_is_answered_with_the_list() -> None:
    with pytest.raises(
        UsageError, match=r"no ready classifier 'vgg': one of cifar10-.*cifar10-vgg11"
    ):
        Teacher.ready("vgg")


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    for path in FOLDER.glob("cifar10-vgg11.*"):
        shutil.copy(path, tmp_path)
    weights = tmp_path / "cifar10-vgg11.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UsageError, match="damaged: its sha256 is") as caught:
        load_ready("cifar10-vgg11", tmp_path)
    assert "\n" not in str(caught.value)
    weights.unlink()
    with pytest.raises(UsageError, match="No such file"):
        load_ready("cifar10-vgg11", tmp_path)


def test_a_damaged_description_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(msgspec.json.encode({"name": "x"}))
    with pytest.raises(UsageError, match=r"x\.json: damaged: "):
        ready.describe("x", tmp_path)
