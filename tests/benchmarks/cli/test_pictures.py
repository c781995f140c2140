"""The commands about classifiers that come with the library."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.recipes.resolve import Recipes
from naturalinversion.errors import UsageError
from tests.benchmarks.command_line import here, one_line


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
    code, out, err = here(capfd, *command)
    assert code == 0
    assert "warning: NaturalInversion: the teacher gives the asked label to" in err
    assert out == f"12 images by each of DeepInversion, NaturalInversion: {tmp_path}/pictures.png\n"
    with Image.open(tmp_path / "pictures.png") as picture:
        assert min(picture.size) > 300
    recipes = Recipes("small", "cifar10").resolve("vgg11")
    for name in ("di", "ni"):
        (meta,) = tmp_path.glob(f"{name}-*/meta.json")
        made_with = json.loads(meta.read_text())["settings"]
        assert made_with == {**recipes.method(name).settings, "iterations": 2}
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
    code, _, err = here(capfd, *words, "--ready", "cifar10-vgg11", "--arch", "vgg11")
    assert code == 2
    assert (
        "synthesize needs --arch with --weights, or --model, or --ready, or --weights alone of a "
        "file that this suite wrote, one of these and not several" in err
    )


@pytest.mark.parametrize(
    ("name", "option", "value", "says"),
    [
        ("cifar10-vgg11", "--num-classes", "100", "num_classes 10"),
        ("cifar100-vgg16", "--num-classes", "10", "num_classes 100"),
        ("cifar10-vgg11", "--width", "1.0", "width 0.25"),
        ("cifar10-vgg11", "--image-size", "16", "image_shape (3, 32, 32)"),
        ("cifar10-vgg11", "--mean", "0.5", "mean (0.4914, "),
    ],
)
def test_what_contradicts_a_ready_classifier_is_refused_also_where_it_is_the_default(
    name: str,
    option: str,
    value: str,
    says: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    values = [value] * (3 if option == "--mean" else 1)
    words = ["synthesize", "--out", str(tmp_path / "out"), "--ready", name, "--device", "cpu"]
    code, _, err = here(capfd, *words, option, *values)
    assert code == 2
    assert f"{option}: the classifier says of itself {says}" in one_line(err)
    assert not (tmp_path / "out").exists()


def test_a_ready_classifier_brings_the_recipes_of_its_data_set(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    class Seen(Recipes):
        def __init__(self, scale: str, dataset: str, *more: Any, **named: Any) -> None:
            asked.append(dataset)
            raise UsageError("seen")

    words = ["synthesize", "--out", str(tmp_path / "out"), "--device", "cpu", "--threads", "1"]
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("benchmarks.cli.synthesize.Recipes", Seen)
        for more in ([], ["--dataset", "cifar10"]):
            assert here(capfd, *words, "--ready", "cifar100-vgg16", *more)[0] == 2
    assert asked == ["cifar100", "cifar10"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--images", "1"], "error: --images 1: 2 or more"),
        (["--max-hours", "-1"], "error: --max-hours -1: 0 or more"),
        (["--precision", "tf32"], "error: --precision tf32: a GPU's alone"),
        (["--workers", "7"], "error: unknown option --workers"),
    ],
)
def test_pictures_refuse_what_they_would_ignore(
    words: list[str], says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ("pictures", "--out", str(tmp_path), "--images", "4", "--device", "cpu", *words)
    found, out, err = here(capfd, *given)
    assert (found, out) == (2, "")
    assert err.splitlines()[-1].startswith(says)


def test_pictures_end_in_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_time(*arguments: Any, **more: Any) -> None:
        signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr("benchmarks.cli.pictures.synthesize", in_time)
    given = ("pictures", "--out", str(tmp_path), "--device", "cpu", "--max-hours", "1")
    found, out, err = here(capfd, *given)
    assert (found, out) == (75, "")
    assert err.splitlines()[-1].startswith("--max-hours are over: what was")
