"""``compare`` with networks of somebody's own code, and what is refused of them."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.engine.cell_runner import run_cell_from
from benchmarks.engine.context import DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import RandomClassifier
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import Measurement
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers import outside
from naturalinversion.classifiers.outside import build_outside, identify, plain_name
from naturalinversion.classifiers.weights import (
    WEIGHTS,
    Classifier,
    load_classifier,
    save_classifier,
)
from naturalinversion.errors import UsageError
from reports.records import Record, load_all
from tests.benchmarks.command_line import here, one_line
from tests.benchmarks.outside_networks import MODULE, SOURCE, somebodys_folder

SIZES = [
    *(f"--set=protocol.{who}.epochs=1" for who in ("classifier", "student")),
    *(f"--set=protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student")),
    "--set=di.batches=1",
    "--set=di.batch_size=20",
    "--set=di.settings.iterations=2",
]
NO_FLOOR = "--set=protocol.classifier_floor=0"
GIVEN = ["--teacher", f"{MODULE}:build", "--teacher-weights", "mine.pt"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with somebodys_folder(tmp_path):
        yield tmp_path


def records(folder: Path) -> dict[str, Record]:
    """By kind, of a run with one of each."""
    found = load_all(folder / "runs").values()
    kinds = {record.kind: record for record in found}
    assert len(kinds) == len(found)
    return kinds


def test_a_given_teacher_and_a_student_are_compared(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker, which imports the networks anew, makes the same student of them."""
    options = [*GIVEN, "--student", f"{MODULE}:viewing", NO_FLOOR, *SIZES, "--threads", "1"]
    options += ["--device", "cpu"]
    code, out, err = here(capfd, "compare", "di", *options, "--workers", "1")
    assert code == 0, err
    assert f"{MODULE}:build".replace("_", "\\_") in out
    assert "@" not in out, "a reader needs no digest"
    made = records(folder)
    assert set(made) == {"pretrained", "classifier", "synthesis", "distillation"}
    teacher = made["pretrained"]
    stored = torch.load(folder / "mine.pt", weights_only=True)
    path = folder / "runs" / "pretrained" / f"{teacher.label}-{teacher.key}" / WEIGHTS
    identify(f"{MODULE}:build", 10, "--teacher")
    model, _ = load_classifier(path)
    torch.testing.assert_close(model.state_dict(), stored, rtol=0, atol=0)
    student = made["distillation"]
    shutil.rmtree(folder / "runs" / "distillation" / f"{student.label}-{student.key}")
    code, _, err = here(capfd, "compare", "di", *options, "--workers", "2")
    assert code == 0, err
    assert "] distillation " in err
    assert records(folder)["distillation"].artefacts == student.artefacts


def test_a_factory_may_load_the_teachers_weights(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And a joint method's student may be somebody's own."""
    teacher = ["--teacher", f"{MODULE}:loaded", "--student", f"{MODULE}:viewing"]
    joint = ("epochs=1", "steps=2", "batch_size=16", "latent=8")
    sizes = [f"--set=dafl.settings.{size}" for size in joint]
    sizes += ["--set=dafl.batches=1", "--set=dafl.batch_size=20", NO_FLOOR, *SIZES[:4]]
    code, _, err = here(capfd, "compare", "dafl", *teacher, *sizes, "--workers=1", "--device=cpu")
    assert code == 0, err
    made = records(folder)
    assert set(made) == {"pretrained", "classifier", "synthesis", "joint_student"}
    assert plain_name(str(made["synthesis"].recipe["student"])) == f"{MODULE}:viewing"
    assert made["classifier"].recipe["arch"] == made["synthesis"].recipe["student"]


def teacher_key(weights: Path | None = None) -> str:
    """The key of a teacher's cell as a command would make it now."""
    name = identify(f"{MODULE}:{'build' if weights else 'loaded'}", 10, "--teacher")
    given = {name: weights} if weights else {}
    return Pipeline(Recipes("demo", "digits", weights=given).resolve(name), 0).teacher.key


@pytest.mark.parametrize("from_file", [True, False])
def test_keys_follow_the_code_and_the_weights(folder: Path, from_file: bool) -> None:
    weights = folder / "mine.pt"
    given = weights if from_file else None
    first = teacher_key(given)
    assert teacher_key(given) == first
    torch.save({k: t + 1 for k, t in torch.load(weights).items()}, weights)
    if from_file:
        assert teacher_key(given) != first
    (folder / f"{MODULE}.py").write_text(SOURCE + "# edited\n")
    assert teacher_key(given) != first


def test_a_network_follows_its_base_classes_in_other_files(folder: Path) -> None:
    derived = f"from {MODULE} import Net\nclass Derived(Net):\n    pass\n"
    (folder / "somebodys_derived.py").write_text(
        f"{derived}def build(num_classes):\n    return Derived(num_classes)\n"
    )
    before = identify("somebodys_derived:build", 10, "--student")
    (folder / f"{MODULE}.py").write_text(SOURCE + "# edited\n")
    assert identify("somebodys_derived:build", 10, "--student") != before
    del sys.modules["somebodys_derived"]


def test_the_name_of_a_network_of_one_file_stays(folder: Path) -> None:
    """Cells of finished runs are found by it."""
    contents = hashlib.sha256((folder / f"{MODULE}.py").read_bytes()).digest()
    digest = hashlib.sha256(contents).hexdigest()[:12]
    assert identify(f"{MODULE}:viewing", 10, "--student") == f"{MODULE}:viewing@{digest}"


def test_students_and_what_reads_them_follow_their_code(folder: Path) -> None:
    def keys() -> list[str]:
        student = identify(f"{MODULE}:build", 10, "--student")
        pipeline = Pipeline(Recipes("demo", "digits").resolve("resnet34"), 0)
        wanted = Measurement(teacher="resnet34", student=student, method="di")
        return [pipeline.baseline(wanted).key, pipeline.student(wanted).key]

    before = keys()
    (folder / f"{MODULE}.py").write_text(SOURCE + "# edited\n")
    assert not set(before) & set(keys())


def test_code_that_was_edited_while_a_run_went_on_is_not_used(folder: Path) -> None:
    name = identify(f"{MODULE}:build", 10, "--student")
    build_outside(name, 10)
    (folder / f"{MODULE}.py").write_text(SOURCE + "# edited\n")
    with pytest.raises(UsageError, match=r"by now, not the .* that was planned"):
        build_outside(name, 10)


def test_a_file_can_not_have_code_imported(folder: Path) -> None:
    name = identify(f"{MODULE}:build", 10, "--teacher")
    description = Classifier(name, 10, 1.0, 16, (0.5,) * 3, (0.5,) * 3)
    save_classifier(folder / "known", description.build(0), description)
    assert load_classifier(folder / "known")[1].arch == name
    unknown = Classifier("turtle:Turtle@123", 10, 1.0, 16, (0.5,) * 3, (0.5,) * 3)
    save_classifier(folder / "unknown", torch.nn.Linear(1, 1), unknown)
    with pytest.raises(UsageError, match="turtle:Turtle is somebody's own code, which a file may"):
        load_classifier(folder / "unknown")
    assert "turtle" not in sys.modules


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--teacher", "{}:build"], "4 of its tensors are random, such as"),
        (["--teacher", "{}:new_head"], "2 of its tensors are random, such as 'fc.weight'"),
        (["--teacher", "{}:without_norm", "--teacher-weights", "mine.pt"], "weights of another ne"),
        (["--teacher", "{}:text"], "returned str, no module"),
        (["--teacher", "{}:broken"], "KeyError: 'conv1'"),
        (["--teacher", "{}:number"], "a int, no function that returns a network"),
        (["--teacher", "{}:made"], ":made: a network, Linear, and not a function that returns one"),
        (["--teacher", "{}:instance"], "no file defines it"),
        (["--teacher", "{}:nothing"], "has no 'nothing'"),
        (["--teacher", "no.such:thing"], "No module named 'no'"),
        (["--teacher", "{}:seven_classes", "--teacher-weights", "seven.pt"], "not 10 logits"),
        (["--teacher", "{}:loaded", "--dataset", "cifar10", "cifar100"], "for which data set?"),
        ([*GIVEN, "--teacher-weights", "none.pt"], "none.pt: no such file"),
        (["--teacher-weights", "none.pt"], "error: --teacher-weights none.pt: no such file"),
        (
            ["--teacher-weights", "mine.pt", "--dataset", "cifar10", "cifar100"],
            "error: --teacher-weights: for which data set? --dataset cifar10 or cifar100",
        ),
        ([*GIVEN, "--teacher-weights", __file__], f":build: {__file__}: can't be read as weigh"),
        ([*GIVEN, "--weights", "{}:build=mine.pt"], "says another file"),
        ([*GIVEN, "--weights", "vgg16=mine.pt"], "nothing here is a vgg16"),
        (["--teacher-weights", "mine.pt", "--ready", "cifar10-vgg11"], "has its own"),
        (["--student", "{}:loaded"], "the same weights from every seed"),
        (["--student", "{}:draws_elsewhere"], "'fc.bias' comes out otherwise from the same seed"),
        (["--student", "{}:two_heads"], "returns tuple for an image in training mode"),
        (["--student", "{}:seven_classes"], "(7,) for an image in evaluation mode, not 10 logits"),
        (["--student", "{}:probable"], ":probable: the student returns probabilities, not logits"),
        (["--student", "{}:detached"], ":detached: the student's output has no gradient to its we"),
        (["--student", "{}:extra_state"], "its state '_extra_state' is no tensor"),
        (["--student", "alexnet"], "or package.module:factory"),
    ],
)
def test_what_can_not_be_compared_is_one_line_before_anything_is_made(
    arguments: list[str], says: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(folder / "mine.pt")
    heads = {"fc.weight": state["fc.weight"][:7], "fc.bias": state["fc.bias"][:7]}
    torch.save(state | heads, folder / "seven.pt")
    words = [word.replace("{}", MODULE) for word in arguments]
    code, out, err = here(capfd, "compare", "di", *words)
    assert (code, out) == (3 if "none.pt" in says else 2, "")
    assert says in one_line(err)
    assert not (folder / "runs").exists()


def test_a_teacher_without_batch_norm_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = {k: t for k, t in torch.load(folder / "mine.pt").items() if "body.1" not in k}
    torch.save(state, folder / "plain.pt")
    teacher = ["--teacher", f"{MODULE}:without_norm", "--teacher-weights", "plain.pt"]
    code, _, err = here(capfd, "compare", "di", *teacher)
    assert code == 2
    assert f"--teacher {MODULE}:without_norm: the classifier has no " in one_line(err)


def test_random_weights_that_seem_loaded_are_below_the_floor(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    teacher = ["--teacher", f"{MODULE}:seeds_itself"]
    code, _, err = here(capfd, "compare", "di", *teacher, *SIZES, "--workers=1", "--device=cpu")
    assert code == 1
    assert "below the recipe's floor" in err
    assert not list(folder.glob("runs/synthesis/*/record.json")), "nothing was inverted"


def test_a_worker_that_times_steps_for_a_plan_imports_the_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`compare --plan` with two workers said that a file may not import it."""
    name = identify(f"{MODULE}:build", 10, "--student")
    network = RandomClassifier(name, 1.0, 16, 10)
    for step in (TrainingStep(network, 2), ForwardStep(network)):
        monkeypatch.delitem(outside._admitted, name)
        assert step.seconds(Machine()) > 0


def test_a_worker_in_another_folder_finds_the_code_of_the_command(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another node of a Ray cluster: nothing is imported yet, nothing on the path."""
    name = identify(f"{MODULE}:build", 10, "--teacher")
    given = {name: folder / "mine.pt"}
    recipes = Recipes("demo", "digits", ["protocol.classifier_floor=0"], given)
    cell = Pipeline(recipes.resolve(name), 0).teacher
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    monkeypatch.delitem(outside._admitted, name)
    monkeypatch.delitem(sys.modules, MODULE)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part != str(folder)])
    data = DataOptions(weights=given)
    assert run_cell_from(str(folder), cell, KINDS, elsewhere, Machine(), data) == "computed"
