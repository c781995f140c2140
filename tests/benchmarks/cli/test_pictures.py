"""The commands about classifiers that come with the library."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.benchmarks.command_line import here


def test_ready_lists_name_accuracy_recipe_and_digest(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = here(capfd, "ready")
    assert code == 0
    assert "cifar10-vgg11: vgg11, 0.25 of its width, 86.56% of cifar10's test images" in out
    code, listed, _ = here(capfd, "ready", "--json")
    for known in json.loads(listed):
        assert f"sha256 {known['sha256'][:12]}" in out


def test_pictures_are_one_file_and_the_same_command_reads_what_is_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ("pictures", "--out", str(tmp_path), "--images", "12", "--iterations", "2")
    code, out, _ = here(capfd, *command)
    assert code == 0
    assert out == f"12 images by each of DeepInversion, NaturalInversion: {tmp_path}/pictures.png\n"
    with Image.open(tmp_path / "pictures.png") as picture:
        assert min(picture.size) > 300
    shards = list(tmp_path.rglob("*.safetensors"))
    assert len(shards) == 2
    before = [path.stat().st_mtime_ns for path in shards]
    assert here(capfd, *command)[0] == 0
    assert [path.stat().st_mtime_ns for path in shards] == before


def test_a_ready_classifier_is_inverted_from_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["synthesize", "--out", str(tmp_path / "images"), "--method", "di", "--threads", "1"]
    words += ["--images", "10", "--batch-size", "10", "--set", "di.settings.iterations=2"]
    code, out, _ = here(capfd, *words, "--ready", "cifar10-vgg11")
    assert code == 0
    assert out.startswith("10 images in ")
    code, _, err = here(capfd, *words, "--ready", "cifar10-vgg99")
    assert code == 2
    assert "no ready classifier 'cifar10-vgg99': one of " in err
    code, _, err = here(capfd, *words, "--ready", "cifar10-vgg11", "--num-classes", "100")
    assert code == 2
    assert "--num-classes: the classifier says of itself num_classes 10" in err
    code, _, err = here(capfd, *words, "--ready", "cifar10-vgg11", "--arch", "vgg11")
    assert code == 2
    assert "synthesize needs --arch with --weights, or --model, or --ready" in err
