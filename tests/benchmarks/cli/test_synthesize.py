"""``synthesize``: a classifier of one's own, and what can't be done with it."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from naturalinversion.classifiers import build
from naturalinversion.classifiers.weights import Classifier, save_classifier
from naturalinversion.image_store.dataset import SyntheticDataset
from tests.benchmarks.cli.inversion import invert
from tests.benchmarks.command_line import here, one_line


def test_synthesize_inverts_a_classifier_and_exports_it(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = invert(weights, tmp_path / "out", export="denormalize")
    code, out, _ = here(capfd, *command, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["images"] == 8, "whole batches"
    assert answer["deterministic"]
    assert len(SyntheticDataset(tmp_path / "out")) == 8
    assert (tmp_path / "out" / "grid.png").is_file()
    assert len(list((tmp_path / "out" / "png").glob("*/*.png"))) == 8
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.safetensors")}
    assert here(capfd, *command)[0] == 0
    assert {p: p.stat().st_mtime_ns for p in shards} == shards, "nothing is made twice"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "CIFAR-10's mean and deviations (--mean and --std)"),
        ({"mean": "0.5 0.5 0.5", "std": "0.2 0.2 0.2"}, ""),
    ],
)
def test_a_normalisation_that_nobody_gave_is_said(
    options: dict[str, str],
    said: str,
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [w for word in invert(weights, tmp_path / "out", **options) for w in word.split(" ")]
    code, _, errors = here(capfd, *words)
    assert code == 0
    lines = [line for line in errors.splitlines() if line.startswith("taken for granted: ")]
    assert lines == ([f"taken for granted: {said}"] if said else [])


def of_classes(num_classes: int) -> nn.Module:
    """A factory of somebody's."""
    return build("resnet18", num_classes, 0.125)


PLAIN = {"arch": "", "num_classes": "", "width": "", "image_size": ""}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The same as `weights`, but the file says of itself what it is; other deviations."""
    description = Classifier("resnet18", 4, 0.125, 16, (0.5,) * 3, (0.25,) * 3)
    path = tmp_path / "weights.safetensors"
    save_classifier(path, description.build(0), description)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"arch": "resnet18"},
        {"model": f"{__name__}:of_classes"},
    ],
)
def test_synthesize_reads_a_classifier_of_the_suite_by_its_own_header(
    options: dict[str, str], stored: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = here(capfd, *invert(stored, tmp_path / "out", **{**PLAIN, **options}))
    assert code == 0
    meta = SyntheticDataset(tmp_path / "out").meta
    assert (meta.num_classes, meta.image_shape, meta.std) == (4, (3, 16, 16), (0.25,) * 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arch": "vgg11"}, "weights.safetensors says of itself arch resnet18"),
        ({"num_classes": "10"}, "--num-classes: the classifier says of itself num_classes 4"),
        ({"image_size": "32"}, "--image-size: the classifier says of itself image_shape (3, 16"),
        (
            {"arch": "", "width": "", "model": f"{__name__}:of_classes", "num_classes": "10"},
            "--num-classes: the classifier says of itself num_classes 4",
        ),
    ],
)
def test_what_contradicts_a_stored_classifier_is_one_line(
    changes: dict[str, str],
    says: str,
    stored: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, out, err = here(capfd, *invert(stored, tmp_path / "out", **changes))
    assert (code, out) == (2, "")
    assert says in one_line(err)


@pytest.mark.parametrize(
    ("student", "says"),
    [
        ("mobilenetv2", "arch resnet18, not mobilenetv2"),
        ("resnet18", "mean (0.5, 0.5, 0.5), not"),
    ],
)
def test_a_stored_student_is_the_one_that_is_asked_for(
    student: str,
    says: str,
    stored: Path,
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    changes = {"method": "adi", "set": "adi.settings.iterations=2", "student": student}
    command = invert(weights, tmp_path / "out", **changes, student_weights=str(stored))
    code, out, err = here(capfd, *command)
    assert (code, out) == (2, "")
    assert f"--student-weights {stored}: says of itself {says}" in one_line(err)


def test_synthesize_takes_a_variant_of_a_recipe(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    changes = {"method": "di-paper", "set": "di-paper.settings.iterations=2"}
    code, out, _ = here(capfd, *invert(weights, tmp_path / "out", **changes), "--json")
    assert code == 0
    recipe = json.loads(out)["recipe"]
    assert (recipe["name"], recipe["method"]) == ("di-paper", "di")
    assert (recipe["settings"]["rate"], recipe["settings"]["iterations"]) == (0.05, 2)
    assert SyntheticDataset(tmp_path / "out").meta.method == "di"


def test_weights_of_another_architecture_are_one_line(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = here(capfd, *invert(weights, tmp_path / "out", arch="vgg11"))
    assert (code, out) == (2, "")
    line = one_line(err)
    assert str(weights) in line
    assert "weights of another network" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"num_classes": "10"}, 2, "fc.weight has shape (4, "),
        ({"width": "0.25"}, 2, "has shape"),
        ({"arch": "alexnet"}, 2, "unknown architecture 'alexnet'"),
        ({"arch": ""}, 2, "of what network? --arch or --model says so"),
        (
            {"ready": "cifar10-vgg11"},
            2,
            "this suite wrote, one of these and not several",
        ),
        ({"weights": "/no/such/file.pt"}, 3, "--weights /no/such/file.pt: no such file"),
        (
            {
                "method": "adi",
                "set": "adi.settings.iterations=2",
                "student": "resnet18",
                "student_weights": "/no/such/file.pt",
            },
            3,
            "--student-weights /no/such/file.pt: no such file",
        ),
        ({"weights": __file__}, 2, "it is neither safetensors nor of torch.save"),
        ({"weights": ""}, 2, "--arch needs --weights"),
        ({"image_size": "18", "method": "ni", "set": "ni.settings.iterations=2"}, 2, "not 18"),
        ({"scale": "huge"}, 2, "unknown scale 'huge'"),
        ({"dataset": "mnist"}, 2, "mnist"),
        ({"method": "nope"}, 2, "unknown method 'nope'"),
        (
            {"method": "adi", "set": "adi.settings.iterations=2"},
            2,
            "--student names its architecture",
        ),
        ({"images": "0"}, 2, "--images 0"),
        ({"batch_size": "1"}, 2, "two images"),
        ({"seed": "-1"}, 2, "--seed -1: 0 or more"),
        ({"image_size": "0"}, 2, "--image-size 0: 1 or more"),
        ({"num_classes": "1"}, 2, "--num-classes 1: 2 or more"),
        ({"width": "nan"}, 2, "--width nan: above zero"),
        ({"set": "di.settings.rate=-1"}, 2, "rate is -1: 0 or more"),
        ({"set": "di.settings.jitter=-1"}, 2, "jitter is -1: 0 or more"),
        ({"model": "contract_methods:small"}, 2, "--arch with --weights, or --model"),
        ({"model": "contract_methods:small", "arch": ""}, 2, "--width: of --arch or --student"),
        ({"student_weights": "/no/such"}, 2, "--student-weights: of which architecture?"),
        ({"student": "resnet18"}, 2, "--student resnet18: no student takes part in di"),
        (
            {"student": "mine:net", "method": "adi", "set": "adi.settings.iterations=2"},
            2,
            "--student mine:net: here a student is one of the library's architectures, resnet18, ",
        ),
        ({"set": "ni.settings.iterations=2"}, 2, "not read here, but di.settings and"),
        ({"set": "protocol.temperature=2"}, 2, "not read here, but di.settings and"),
        ({"set": "di.batches=2"}, 2, "--images says how many"),
        ({"set": "di.batch_size=2"}, 2, "--batch-size says another"),
        (
            {"set": "protocol.batch_size=2", "batch_size": ""},
            2,
            "--set protocol.batch_size: the recipe of di has its own: set di.batch_size",
        ),
        ({"max_hours": "-1"}, 2, "--max-hours -1: 0 or more"),
        ({"precision": "tf32"}, 2, "--precision tf32: a GPU's alone"),
        ({"threads": "-1"}, 2, "--threads -1: 0 or more"),
        ({"workers": "7"}, 2, "unknown option --workers"),
        ({"engine": "ray"}, 2, "unknown option --engine"),
    ],
)
def test_what_synthesize_cannot_do_is_one_line(
    changes: dict[str, str],
    code: int,
    says: str,
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    found, out, err = here(capfd, *invert(weights, tmp_path / "out", **changes))
    assert (found, out) == (code, "")
    assert says in one_line(err)


def test_the_budget_of_a_recipe_is_read_where_no_option_says_another(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = invert(weights, tmp_path / "out", batch_size="", set="di.batch_size=3")
    code, out, _ = here(capfd, *command, "--set", "di.settings.iterations=2", "--json")
    assert (code, json.loads(out)["images"]) == (0, 6)
    assert SyntheticDataset(tmp_path / "out").meta.batch_size == 3


def test_a_method_without_a_recipe_has_the_protocols_batches(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    batches = {"batch_size": "", "set": "protocol.batch_size=3"}
    method = "contract_methods:FromOutside"
    code, _, err = here(capfd, *invert(weights, tmp_path / "out", method=method, **batches))
    assert code == 0, err
    assert SyntheticDataset(tmp_path / "out").meta.batch_size == 3


def test_a_model_without_batch_norm_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_model_without_norm.py").write_text(
        "from torch import nn\n"
        "def plain():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))\n"
        "def text():\n"
        "    return 'no module'\n"
        "def broken():\n"
        "    raise KeyError('conv1')\n"
        "def leaving():\n"
        "    raise SystemExit\n"
    )
    (tmp_path / "my_leaving_module.py").write_text("raise SystemExit('no such device')\n")
    monkeypatch.chdir(tmp_path)
    module = "my_model_without_norm"
    for name, says in (
        (f"{module}:plain", "no batch norm with running statistics"),
        (f"{module}:text", "returned str, no module"),
        (f"{module}:broken", "KeyError: 'conv1'"),
        (f"{module}:leaving", "leaving: SystemExit: no message"),
        ("my_leaving_module:build", "my_leaving_module:build: SystemExit: no such device"),
    ):
        command = invert(tmp_path, tmp_path / "out", model=name, arch="", weights="", width="")
        code, _, err = here(capfd, *command)
        assert code == 2
        assert says in one_line(err)


@pytest.mark.filterwarnings("default:the teacher gives")
def test_the_last_line_says_how_often_the_teacher_agrees_and_a_warning_what_to_raise(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = here(capfd, *invert(weights, tmp_path / "out"))
    assert code == 0
    share = SyntheticDataset(tmp_path / "out").teacher_agreement
    assert share is not None
    assert out.splitlines()[-1].endswith(
        f"the teacher gives the asked label to {share:.1%} of them"
    )
    assert share < 0.5, "a random classifier, two iterations"
    (line,) = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert "raise iterations (now 2) or cross_entropy (now 1)" in line
    _, out, _ = here(capfd, *invert(weights, tmp_path / "out"), "--json")
    assert json.loads(out)["teacher_agreement"] == share


def test_other_settings_are_refused_and_more_images_are_added(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert here(capfd, *invert(weights, tmp_path / "out"))[0] == 0
    other = invert(weights, tmp_path / "out", set="di.settings.iterations=3")
    code, out, err = here(capfd, *other)
    assert (code, out) == (1, "")
    assert one_line(err).endswith(
        "holds images of another run: iterations was 2, is now 3; take another folder"
    )
    code, out, _ = here(capfd, *invert(weights, tmp_path / "out", images="12"), "--json")
    assert (code, json.loads(out)["images"]) == (0, 12)
    code, out, _ = here(capfd, *invert(weights, tmp_path / "out", images="4"), "--json")
    assert (code, json.loads(out)["images"]) == (0, 4)
    assert len(SyntheticDataset(tmp_path / "out")) == 12


def test_another_seed_gives_other_images(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = []
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert here(capfd, *invert(weights, tmp_path / out, images="4", seed=seed))[0] == 0
        found.append(SyntheticDataset(tmp_path / out).tensors()[0])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
