"""``synthesize --model``: other people's classifiers on the command line, down to PNGs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchmarks.cli.classifier_options import ClassifierOptions
from naturalinversion.errors import UsageError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD
from tests.benchmarks.command_line import here, one_line
from tests.naturalinversion.teacher.zoo import ZOO, Small, trained

FACTORIES = """
from torch import nn
from tests.naturalinversion.teacher.zoo import ZOO, Small, trained

def untrained():
    return Small()

def softmax():
    return nn.Sequential(trained(Small), nn.Softmax(dim=1))

def two_channels():
    return trained(lambda: Small(2), (2, 16, 16))

def made(name):
    return lambda: ZOO[name].make()

zoo = {name.replace(" ", "_"): made(name) for name in ZOO}
globals().update(zoo)
"""


@pytest.fixture(autouse=True)
def _factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_zoo_of_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)


def words(factory: str, out: Path, *more: str, method: str = "ni") -> list[str]:
    settings = ["iterations=2", *(["latent=4", "generator_width=0.1"] if method == "ni" else [])]
    return [
        "synthesize",
        *("--out", str(out), "--model", f"my_zoo_of_factories:{factory}", "--method", method),
        *("--num-classes", "4", "--images", "4", "--batch-size", "4", "--device", "cpu"),
        *("--threads", "1", *(w for s in settings for w in ("--set", f"{method}.settings.{s}"))),
        *more,
    ]


def inputs(name: str) -> list[str]:
    channels, height, width = ZOO[name].shape
    sides = [str(height)] if height == width else [str(height), str(width)]
    mean, std = ["0.5"] * channels, ["0.25"] * channels
    return ["--image-size", *sides, "--mean", *mean, "--std", *std]


# Of every shape, one in half precision, one without maps; how each is inverted is the library's.
ENDS = ["plain", "grey", "oblong", "oblong grey", "with opacity", "compiled", "bfloat16"]
ENDS += ["norms over features"]


@pytest.mark.parametrize("name", ENDS)
def test_a_classifier_from_a_factory_ends_as_pngs(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    method = "ni" if ZOO[name].maps else "di"
    command = words(name.replace(" ", "_"), tmp_path / "out", *inputs(name), method=method)
    code, out, err = here(capfd, *command, "--export", "denormalize", "--json")
    assert code == 0, err
    assert json.loads(out)["images"] == 4
    assert SyntheticDataset(tmp_path / "out").meta.image_shape == ZOO[name].shape
    pictures = [Image.open(path) for path in (tmp_path / "out" / "png").glob("*/*.png")]
    assert len(pictures) == 4
    channels, height, width = ZOO[name].shape
    for picture in pictures:
        assert (picture.size, len(picture.getbands())) == ((width, height), channels)
    assert Image.open(tmp_path / "out" / "grid.png").size[0] > width


def test_images_without_colours_have_no_pictures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    two = ["--image-size", "16", "--mean", "0.5", "0.5", "--std", "0.2", "0.2"]
    command = words("two_channels", tmp_path / "out", *two, method="di")
    code, out, err = here(capfd, *command, "--export", "minmax")
    assert (code, out) == (2, "")
    assert "--export: images of 2 channels can't be PNGs: 1, 3 or 4" in one_line(err)
    assert not (tmp_path / "out").exists()
    code, out, err = here(capfd, *command)
    assert code == 0, err
    assert "no grid: images of 2 channels have no colours to show" in err
    assert out.startswith(f"4 images in {tmp_path / 'out'}; the teacher gives")


def test_a_factory_without_weights_takes_those_of_a_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lightning.ckpt"
    state = {f"model._orig_mod.{n}": v for n, v in trained(Small).state_dict().items()}
    torch.save({"state_dict": state | {"loss.weight": torch.ones(4)}}, path)
    command = words("untrained", tmp_path / "out", *inputs("plain"), "--weights", str(path))
    code, _, err = here(capfd, *command)
    assert code == 0, err
    assert "untrained" not in err
    assert "16 names mapped: model._orig_mod.conv1.weight → conv1.weight, " in err
    assert "1 left out: loss.weight" in err
    assert here(capfd, *words("plain", tmp_path / "same", *inputs("plain")))[0] == 0
    for one, other in zip(
        SyntheticDataset(tmp_path / "out").tensors(),
        SyntheticDataset(tmp_path / "same").tensors(),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("factory", "more", "says"),
    [
        ("untrained", (), "looks untrained, and images of a random network mean nothing; give its"),
        ("softmax", (), "its last layer is a softmax"),
        ("plain", ("--mean", "103.5", "116.3", "123.7"), "divide those of pixels in 0..255 by 255"),
        ("plain", ("--mean", "0.5"), "--mean has 1 values, --std 3: one for each channel"),
        (
            "plain",
            ("--image-size", "16", "18"),
            "whose sides are multiples of 4, 8 or more: not 18",
        ),
        (
            "plain",
            ("--image-size", "16", "16", "16"),
            "--image-size: one side, or height and width",
        ),
        ("plain", ("--weights", "/no/such/file"), "/no/such/file: no such file"),
        (
            "plain",
            ("--image-size", "16", "24", "--student", "resnet18"),
            "square images of three channels, not (3, 16, 24): 'resnet18' is none for them",
        ),
    ],
)
def test_what_a_factory_cannot_give_is_one_line(
    factory: str,
    more: tuple[str, ...],
    says: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = inputs("plain")
    for flag in {word for word in more if word.startswith("--")} & set(options):
        start = options.index(flag)
        stop = next(
            (i for i in range(start + 1, len(options)) if options[i].startswith("--")), None
        )
        del options[start:stop]
    method = "adi" if "--student" in more else "ni"
    command = words(factory, tmp_path / "out", *options, *more, method=method)
    code, out, err = here(capfd, *command)
    assert (code, out) == (3 if "no such file" in says else 2, "")
    assert says in one_line(err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("given", "missing"), [("mean", "std"), ("std", "mean")])
def test_mean_and_std_come_together_unless_the_classifier_says_the_other_itself(
    given: str, missing: str
) -> None:
    values: dict[str, Any] = {given: (0.5, 0.5, 0.5)}
    with pytest.raises(UsageError, match=f"^--{given} without --{missing}: give both, those of"):
        ClassifierOptions(model="my_zoo_of_factories:plain", num_classes=4, **values).network()
    own: dict[str, Any] = {given: {"mean": CIFAR10_MEAN, "std": CIFAR10_STD}[given]}
    _, inputs, _ = ClassifierOptions(ready="cifar10-vgg11", **own).network()
    assert (inputs.mean, inputs.std) == (CIFAR10_MEAN, CIFAR10_STD)
    with pytest.raises(UsageError, match=f"^--{given}: the classifier says of itself {given} "):
        ClassifierOptions(ready="cifar10-vgg11", **values).network()
