"""The command line as a user meets it: exit codes, single lines, and one tiny table end to end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.cli import main
from benchmarks.models import Classifier, load_classifier, save_classifier
from naturalinversion.images import SyntheticDataset
from reports.records import load_all

ROOT = Path(__file__).parents[2]
TINY = [
    "--rows=resnet34-resnet18",
    "--set=protocol.network.width=0.125",
    "--set=protocol.classifier_floor=0",
    *(f"--set=protocol.{who}.epochs=1" for who in ("classifier", "student")),
    *(f"--set=protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student")),
    *(f"--set={name}.batch_size=20" for name in ("di", "adi", "dafl")),
    *(f"--set={name}.settings.iterations=3" for name in ("di", "adi")),
    "--set=di.batches=2",
    "--set=adi.batches=3",
    "--set=adi.rounds.start_batches=1",
    "--set=adi.rounds.rounds=2",
    "--set=adi.rounds.student.epochs=1",
    "--set=adi.rounds.student.updates_per_epoch=2",
    "--set=dafl.batches=2",
    "--set=dafl.settings.epochs=2",
    "--set=dafl.settings.steps=2",
    "--set=dafl.settings.batch_size=16",
    "--set=dafl.settings.latent=8",
]
METHODS = ["--methods", "di", "dafl", "adi"]
ONE = ["--threads", "1", "--device", "cpu", "--workers", "1"]
CELLS = 2 + 2 + 2 + 5  # baselines; di; dafl; adi after di's images: 2 students, 2 rounds, the last


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Commands called in this process set signals and torch's switches."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``python -m benchmarks …`` from another folder, as a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    environment.pop("NATURALINVERSION_DATA", None)
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def here(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The same in this process: exit code, stdout, stderr."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capfd.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out, captured.err


def one_line(text: str) -> str:
    """The only line of ``text``, an error."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("error: ")
    return lines[0]


# What is asked wrongly.


def test_an_unknown_table_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = shell("run", "table9", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    line = one_line(done.stderr)
    assert line.startswith("error: unknown table 'table9': one of accuracy, figure2,")
    assert line.endswith("table4, table5")
    assert list(tmp_path.iterdir()) == []


def test_missing_cifar_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    arguments = ("run", "table5", "--dataset", "cifar10", "--methods", "di", *ONE)
    done = shell(*arguments, "--data-root", "here", *TINY, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    line = one_line(done.stderr)
    for part in ("cifar10", "here/cifar-10-batches-py", "--data-root", "--download"):
        assert part in line
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("command", ["run", "plan", "status"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["table9"], "unknown table 'table9'"),
        (["table5", "--methods", "nope"], "unknown method 'nope'"),
        (["table5", "--methods", "no.such:Thing"], "No module named 'no'"),
        (["table5", "--rows", "resnet34-alexnet"], "unknown row 'resnet34-alexnet'"),
        (["table5", "--seeds", "0"], "--seeds 0: one or more"),
        (["table5", "--set", "nope.x=1"], "no recipe of that name"),
        (["table5", "--set", "di.settings.iteratoins=5"], "di.settings.iteratoins: unknown key"),
        (["table5", "--set", "di.settings.iterations=few"], "Expected `int`"),
        (["table5", "--dataset", "mnist"], "mnist"),
    ],
)
def test_a_wrong_request_is_one_line_before_anything_is_written(
    command: str,
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = here(capfd, command, *arguments)
    assert (code, out) == (2, "")
    assert says in one_line(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare"], "needs a method or more"),
        (["compare", "di", "di"], "named twice"),
        (["compare", "di", "--teacher", "alexnet"], "unknown architecture 'alexnet'"),
        (["run", "table5", "--methods", "di", "di", *ONE, *TINY], "twice"),
        (["run", "table5", "--dataset", "digits", "digits", "--methods", "di", *TINY], "twice"),
        (["run", "table5", "--device", "toaster", *TINY], "--device toaster"),
        (["run", "table5", "--workers", "-1", *TINY], "0 or more"),
        (["run", "table5", "--wrokers", "1"], "unknown option --wrokers"),
    ],
)
def test_other_wrong_requests(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = here(capfd, *arguments)
    assert (code, out) == (2, "")
    assert says in one_line(err)


@pytest.mark.parametrize(
    "arguments", [["run", "table5", "--scale", "huge"], ["run", "table5", "--seeds", "many"], []]
)
def test_what_the_parser_refuses_has_exit_code_2_and_no_traceback(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = here(capfd, *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_scale_paper_is_not_started_by_accident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    narrow = ["--set", "protocol.network.width=0.125", "--set", "protocol.network.image_size=16"]
    one = ["--rows", "resnet34-resnet18", "--methods", "di", "--workers", "1"]
    code, out, err = here(capfd, "run", "table5", "--scale", "paper", *one, *narrow)
    assert code == 2
    assert "--yes" in err
    assert "cells" in out, "the plan is what the user decides on"
    assert "512,000 images" in out, "256,000 on each of the two CIFARs"
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "runs")
    code, _, err = here(capfd, "run", "table5", "--runs-dir", below, *TINY, *ONE)
    assert code == 1
    assert "Not a directory" in one_line(err)
    code, _, err = here(capfd, "report", "--runs-dir", str(tmp_path / "nothing"))
    assert code != 0
    assert "run a table first" in one_line(err)


def test_plan_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = here(capfd, "plan", "table5", "--methods", "di", "--json", *ONE, *TINY)
    plan = json.loads(out)
    assert code == 0
    assert sorted(cell["kind"] for cell in plan["cells"]) == [
        "classifier",
        "classifier",
        "student",
        "synthesis",
    ]
    assert all(cell["seconds"] > 0 and not cell["done"] for cell in plan["cells"])
    assert sum(cell["images"] for cell in plan["cells"]) == 40
    assert plan["wall_seconds"] > 0
    assert list(tmp_path.iterdir()) == []


# synthesize: a classifier of one's own.


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18, an eighth of the width, 4 classes."""
    path = tmp_path_factory.mktemp("weights") / "mine.pt"
    model = Classifier("resnet18", 4, 0.125, 16, (0.5,) * 3, (0.5,) * 3).build(0)
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def invert(path: Path, out: Path, **changes: str) -> list[str]:
    options = {
        "out": str(out),
        "method": "di",
        "arch": "resnet18",
        "weights": str(path),
        "num-classes": "4",
        "width": "0.125",
        "image-size": "16",
        "images": "6",
        "batch-size": "4",
        "set": "di.settings.iterations=2",
        "device": "cpu",
        "threads": "1",
    }
    merged = options | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["synthesize", *(p for n, v in merged.items() if v for p in (f"--{n}", v))]


def test_synthesize_inverts_a_classifier_and_exports_it(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = invert(weights, tmp_path / "out", export="denormalize")
    code, out, _ = here(capfd, *command, "--json")
    assert code == 0
    assert json.loads(out)["images"] == 8, "whole batches"
    assert len(SyntheticDataset(tmp_path / "out")) == 8
    assert (tmp_path / "out" / "grid.png").is_file()
    assert len(list((tmp_path / "out" / "png").glob("*/*.png"))) == 8
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.safetensors")}
    assert here(capfd, *command)[0] == 0
    assert {p: p.stat().st_mtime_ns for p in shards} == shards, "nothing is made twice"


def test_synthesize_reads_a_classifier_of_the_suite_by_its_own_header(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    description = Classifier("resnet18", 4, 0.125, 16, (0.5,) * 3, (0.25,) * 3)
    path = tmp_path / "weights.safetensors"
    save_classifier(path, description.build(0), description)
    plain = {"arch": "", "num_classes": "", "width": "", "image_size": ""}
    code, _, _ = here(capfd, *invert(path, tmp_path / "out", **plain))
    assert code == 0
    meta = SyntheticDataset(tmp_path / "out").meta
    assert (meta.num_classes, meta.image_shape, meta.std) == (4, (3, 16, 16), (0.25,) * 3)


def test_weights_of_another_architecture_are_one_line(weights: Path, tmp_path: Path) -> None:
    done = shell(*invert(weights, tmp_path / "out", arch="vgg11"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    line = one_line(done.stderr)
    assert str(weights) in line
    assert "weights of another network" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"num_classes": "10"}, 2, "fc.weight has shape (4, "),
        ({"width": "0.25"}, 2, "has shape"),
        ({"arch": "alexnet"}, 2, "unknown architecture 'alexnet'"),
        ({"arch": ""}, 2, "no classifier of this suite"),
        ({"weights": "/no/such/file.pt"}, 3, "/no/such/file.pt: no such file"),
        ({"weights": __file__}, 2, "can't be read as weights"),
        ({"weights": ""}, 2, "--arch needs --weights"),
        ({"image_size": "18", "method": "ni", "set": "ni.settings.iterations=2"}, 2, "not 18"),
        ({"scale": "huge"}, 2, "unknown scale 'huge'"),
        ({"dataset": "mnist"}, 2, "mnist"),
        ({"method": "nope"}, 2, "unknown method 'nope'"),
        ({"method": "adi", "set": "adi.settings.iterations=2"}, 2, "needs a student"),
        ({"images": "0"}, 2, "--images 0"),
        ({"batch_size": "1"}, 2, "two images"),
        ({"seed": "-1"}, 2, "--seed -1: 0 or more"),
        ({"image_size": "-1"}, 2, "--image-size -1: 1 or more"),
        ({"width": "nan"}, 2, "--width nan: above zero"),
        ({"set": "di.settings.rate=-1"}, 2, "rate is -1: 0 or more"),
        ({"set": "di.settings.jitter=-1"}, 2, "jitter is -1: 0 or more"),
        ({"model": "contract_methods:small"}, 2, "--arch with --weights, or --model"),
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
    )
    monkeypatch.chdir(tmp_path)
    for factory, says in (
        ("plain", "no BatchNorm2d"),
        ("text", "returned str, no module"),
        ("broken", "KeyError: 'conv1'"),
    ):
        name = f"my_model_without_norm:{factory}"
        command = invert(tmp_path, tmp_path / "out", model=name, arch="", weights="")
        code, _, err = here(capfd, *command)
        assert code == 2
        assert says in one_line(err)


def test_the_student_of_a_joint_method_is_kept_and_not_trained_twice(
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = ["epochs=1", "steps=2", "batch_size=8", "latent=8", "generator_width=0.125"]
    command = invert(weights, tmp_path / "out", method="dafl", set="", student="resnet18")
    for setting in small:
        command += ["--set", f"dafl.settings.{setting}"]
    code, _, err = here(capfd, *command)
    assert code == 0
    path = tmp_path / "out" / "student.safetensors"
    assert f"the student that grew with the generator: {path}" in err
    student, description = load_classifier(path)
    assert (description.arch, description.num_classes) == ("resnet18", 4)
    assert int(student.get_buffer("bn1.num_batches_tracked")) == 2
    assert not list((tmp_path / "out").glob("*.pt"))
    monkeypatch.setattr("baselines.dafl.DAFL.step", lambda *given: pytest.fail("trained again"))
    assert here(capfd, *command)[0] == 0


# One tiny table, end to end.


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the first run, serial, and what it printed."""
    folder = tmp_path_factory.mktemp("table")
    done = shell("run", "table5", *METHODS, *ONE, *TINY, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def artefacts(runs: Path) -> dict[str, dict[str, str]]:
    return {key: record.artefacts for key, record in load_all(runs).items()}


def test_the_table_is_printed_and_written(first: tuple[Path, str]) -> None:
    folder, printed = first
    assert "| Digits" in printed
    for title in ("DI", "DAFL", "ADI", "ResNet-34", "91.43"):
        assert title in printed, "measured beside published"
    names = {path.name for path in (folder / "reports" / "out").iterdir()}
    assert names == {*(f"table5-demo-digits.{e}" for e in ("md", "csv", "tex")), "report.html"}
    assert (folder / "reports" / "out" / "table5-demo-digits.md").read_text().strip() in printed


def test_every_cell_has_its_record_and_the_images_asked_for(first: tuple[Path, str]) -> None:
    records = load_all(first[0] / "runs")
    assert len(records) == CELLS
    images = {
        r.label.removeprefix("digits-resnet34-"): r.metrics["images"]
        for r in records.values()
        if r.kind == "synthesis"
    }
    assert images == {
        "di-s0": 40,
        "dafl-resnet18-s0": 40,
        "adi-resnet18-round1-s0": 20,
        "adi-resnet18-round2-s0": 20,
    }
    for record in records.values():
        assert record.cost.seconds > 0
        assert record.provenance.threads == 1
        assert set(record.inputs.values()) <= set(records)


def test_the_rounds_of_adi_train_one_student_on_and_on(first: tuple[Path, str]) -> None:
    by_label = {r.label: r for r in load_all(first[0] / "runs").values()}
    prefix = "digits-resnet34-adi-resnet18"
    one, two = (by_label[f"{prefix}-round{n}-s0"] for n in (1, 2))
    students = [
        r for r in load_all(first[0] / "runs").values() if r.kind == "student" and prefix in r.label
    ]
    seen = sorted(int(str(r.metrics["synthetic_images"])) for r in students)
    assert seen == [20, 40, 60]
    assert {one.kind, two.kind} <= {"synthesis", "student"}
    assert sum("initial" in r.inputs for r in students) == 1


def test_the_same_command_again_makes_nothing(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, printed = first
    monkeypatch.chdir(folder)
    files = [p for p in (folder / "runs").glob("*/*/**/*") if p.is_file() and p.name != ".lock"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) > 4 * CELLS
    code, out, err = here(capfd, "run", "table5", *METHODS, *ONE, *TINY)
    assert (code, out) == (0, printed)
    assert f"{CELLS} of {CELLS} cells are done already" in err
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_report_writes_the_same_bytes_without_running(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, printed = first
    monkeypatch.chdir(folder)
    out_dir = folder / "reports" / "out"
    before = {path.name: path.read_bytes() for path in out_dir.iterdir()}
    code, out, _ = here(capfd, "report", "--out-dir", "again")
    assert (code, out) == (0, printed)
    assert {path.name: path.read_bytes() for path in (folder / "again").iterdir()} == before


def test_status_and_plan_know_what_is_done(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(first[0])
    assert here(capfd, "status", "table5", *METHODS, *TINY)[:2] == (0, f"{CELLS} done\n")
    code, out, _ = here(capfd, "status", "table5", *METHODS, *TINY, "--json")
    assert {cell["state"] for cell in json.loads(out)} == {"done"}
    code, out, _ = here(capfd, "plan", "table5", *METHODS, *TINY, *ONE)
    assert code == 0
    assert f"{CELLS} cells, {CELLS} done, 0 to do" in out
    _, out, _ = here(capfd, "status", "table5", *METHODS, *TINY, "--seeds", "2")
    assert out.endswith(f"{CELLS} done, {CELLS} to do\n")


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same table by two workers, elsewhere."""
    folder = tmp_path_factory.mktemp("parallel")
    arguments = [a if a != "1" or ONE[i - 1] != "--workers" else "2" for i, a in enumerate(ONE)]
    done = shell("run", "table5", *METHODS, *arguments, *TINY, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["made"], summary["found"], summary["failed"]) == (CELLS, 0, {})
    return folder


def test_two_workers_make_the_same_bytes_as_one(first: tuple[Path, str], parallel: Path) -> None:
    serial, both = artefacts(first[0] / "runs"), artefacts(parallel / "runs")
    names = {name for found in serial.values() for name in found}
    assert {"weights.safetensors", "grid.png", "images/batch-00000.safetensors"} <= names
    assert both == serial
    tables = [f / "reports" / "out" / "table5-demo-digits.csv" for f in (first[0], parallel)]
    accuracies = [[r.metrics for r in load_all(f / "runs").values()] for f in (first[0], parallel)]
    assert accuracies[0] == accuracies[1]
    assert all(table.is_file() for table in tables)


@pytest.mark.parametrize(
    ("method", "label"),
    [("di", "di-s0"), ("dafl", "dafl-resnet18-s0"), ("adi", "adi-resnet18-round2-s0")],
)
def test_a_synthesis_cut_short_goes_on_to_the_same_bytes(
    method: str,
    label: str,
    first: tuple[Path, str],
    parallel: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As a kill leaves it: no record, the last shard missing; for every kind of method."""
    monkeypatch.chdir(parallel)
    (folder,) = Path("runs/synthesis").glob(f"digits-resnet34-{label}-*")
    (folder / "record.json").unlink()
    sorted((folder / "images").glob("*.safetensors"))[-1].unlink()
    code, _, err = here(capfd, "run", "table5", "--methods", method, *ONE, *TINY)
    assert code == 0, err
    assert err.count("] synthesis ") == 1
    again, whole = (load_all(where / "runs") for where in (parallel, first[0]))
    (key,) = [key for key, record in whole.items() if folder.name.endswith(record.key)]
    assert again[key].artefacts == whole[key].artefacts
