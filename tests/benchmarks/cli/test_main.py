"""What is asked wrongly on the command line: one line, an exit code, and nothing written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import cell_plan
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.table_options import TableOptions
from benchmarks.engine.cell import Cell
from benchmarks.engine.estimate import Estimate
from tests.benchmarks.command_line import ONE, TINY, here, one_line, shell, tiny


def test_an_unknown_table_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = here(capfd, "run", "table9")
    assert (code, out) == (2, "")
    line = one_line(err)
    assert line.startswith("error: unknown table 'table9': one of accuracy, budget, figure2,")
    assert "table4, table5" in line
    assert list(tmp_path.iterdir()) == []


def test_missing_cifar_is_one_line_and_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("run", "table5", "--dataset", "cifar10", "--methods", "di", *ONE)
    code, out, err = here(capfd, *arguments, "--data-root", "here", *tiny("di"))
    assert (code, out) == (3, "")
    line = one_line(err)
    for part in ("cifar10", "here/cifar-10-batches-py", "--data-root", "--download"):
        assert part in line
    assert list(tmp_path.iterdir()) == [], "no table that later reports would show"


@pytest.mark.parametrize("command", ["run", "plan", "status"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "which table? accuracy, budget, "),
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
        (
            ["run", "table5", "--dataset", "digits", "digits", "--methods", "di", *tiny("di")],
            "twice",
        ),
        (["run", "table5", "--device", "toaster", *TINY], "--device toaster"),
        (["run", "table5", "--device", "meta", *TINY], "--device meta: cpu, cuda, or cuda:1 …"),
        (["run", "table5", "--device", "mps", *TINY], "--device mps: cpu, cuda, or cuda:1 …"),
        (["run", "table5", "--device", "cpu:1", *TINY], "--device cpu:1: cpu, cuda, or cuda:1 …"),
        (["run", "table5", "--workers", "-1", *TINY], "0 or more"),
        (["run", "table5", "--wrokers", "1"], "unknown option --wrokers"),
        (["run", "table5", "--device", "cpu", "--precision", "tf32", *TINY], "a GPU's alone"),
        (["plan", "table5", "--engine", "ray"], "unknown option --engine"),
        (["plan", "table5", "--max-hours", "1"], "unknown option --max-hours"),
        (["plan", "table5", "--no-timing", "--workers", "-1"], "--workers -1: 0 or more"),
        (
            ["run", "table2", "--set", "adi.settings.iterations=7"],
            "no cell of this run reads the recipe of adi",
        ),
        (["run", "table5", "--methods", "ni", "--set", "di.batches=7"], "reads the recipe of di"),
        (
            ["run", "table5", "--inception-weights", "inception.pth"],
            "--inception-weights: nothing here is measured with Inception",
        ),
        (
            [
                "run",
                "table1",
                "--inception-weights",
                "inception.pth",
            ],
            "--inception-weights: nothing here is measured with Inception",
        ),
        (
            ["plan", "table1", "--ready", "cifar10-vgg11", "--no-timing"],
            "--ready cifar10-vgg11: nothing here inverts it: --teacher vgg11 would",
        ),
        (
            ["run", "table5", "--weights", "resnet34=a.pt", "--weights", "resnet34=b.pt"],
            "--weights resnet34=b.pt: resnet34 has ",
        ),
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


def test_ctrl_c_while_the_command_loads_is_one_line(tmp_path: Path) -> None:
    """It takes seconds; here the first package of all is where it comes."""
    (tmp_path / "tyro.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = shell("run", "table5", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("run", "interrupted: what was finished is kept, the same command goes on\n"),
        ("plan", "interrupted\n"),
        ("status", "interrupted\n"),
    ],
)
def test_the_last_line_promises_no_more_than_the_command_keeps(
    command: str, says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: TableOptions) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TableOptions, "planned", interrupt)
    assert here(capfd, command, "table5") == (130, "", says)


def _an_hour_a_cell(cells: Sequence[Cell], todo: Sequence[Cell], *_: Any) -> Estimate:
    return Estimate({cell.key: 3600.0 for cell in todo}, 3600.0)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "table5", "--rows", "resnet34-resnet18", "--methods", "di"],
        ["compare", "di", "--student", "resnet18"],
        ["accept", "table5", "--rows", "resnet34-resnet18", "--seeds", "8"],
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_scale_paper_is_not_started_by_accident(
    command: list[str],
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cell_plan, "estimate", _an_hour_a_cell)
    narrow = ["--set", "protocol.network.width=0.125", "--set", "protocol.network.image_size=16"]
    more = [] if command[0] == "accept" else narrow
    more += ["--json"] if form == "json" else []
    code, out, err = here(capfd, *command, "--scale", "paper", "--device", "cpu", *more)
    assert code == 2
    assert err.splitlines()[-1] == "error: this is scale paper: add --yes to start it"
    if form == "json":
        assert all(cell["seconds"] == 3600 for cell in json.loads(out)["cells"])
    else:
        assert " at scale paper: " in out, "the plan is what the user decides on"
        if command[0] != "accept":
            assert "512,000 images" in out, "256,000 on each of the two CIFARs"
            assert "40.0 h of work" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        ["--address", "auto"],
        ["--precision", "tf32"],
        ["--device", "toaster"],
        ["--workers", "-1"],
        ["--max-hours", "-1"],
    ],
)
def test_a_run_that_is_refused_changes_no_table(
    wrong: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    device = [] if wrong[0] == "--device" else ["--device", "cpu"]
    code, _, err = here(capfd, "run", "table5", "--seeds", "3", *device, *wrong)
    assert code == 2
    assert wrong[0] in one_line(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["report"], ["claims"], ["keep", "--name", "here"]])
@pytest.mark.parametrize("option", ["--weights=vgg11=w.pt", "--data-root=data", "--download"])
def test_what_only_reads_records_refuses_options_of_computing(
    command: list[str],
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = here(capfd, *command, option)
    assert code == 2
    assert f"unknown option {option.partition('=')[0]}" in err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *((command, "--out-dir=out") for command in ("plan", "status", "check", "accept")),
        *((command, "--download") for command in ("plan", "status")),
        *((command, "--inception-weights=w.pth") for command in ("plan", "status")),
    ],
)
def test_what_a_command_would_ignore_is_no_option_of_it(
    command: str, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = here(capfd, command, "table5", option)
    assert code == 2
    assert f"unknown option {option.partition('=')[0]}" in one_line(err)


def test_folders_that_cannot_be_written_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "runs")
    code, _, err = here(capfd, "run", "table5", "--runs-dir", below, *TINY, *ONE)
    assert code == 1
    assert "Not a directory" in one_line(err)
    code, _, err = here(capfd, "report", "--runs-dir", str(tmp_path / "nothing"))
    assert code == 3
    assert one_line(err).endswith("nothing: no such folder; run a table first")


def test_plan_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = here(capfd, "plan", "table5", "--methods", "di", "--json", *ONE, *tiny("di"))
    plan = json.loads(out)
    assert code == 0
    assert sorted(cell["kind"] for cell in plan["cells"]) == [
        "classifier",
        "classifier",
        "distillation",
        "synthesis",
    ]
    assert all(cell["seconds"] > 0 and not cell["done"] for cell in plan["cells"])
    assert sum(cell["images"] for cell in plan["cells"]) == 40
    assert plan["wall_seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_cpu_by_its_number_is_the_cpu() -> None:
    """Its precision, workers and threads are those of a CPU, and so is the name in records."""
    named, plain = RunOptions(device="cpu:0"), RunOptions(device="cpu")
    assert named.machine() == plain.machine()
    assert named.worker_count() == plain.worker_count()


def test_workers_are_as_many_as_cores_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of half of the machine's cores: joblib reads its quota, or this variable."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert RunOptions(device="cpu").worker_count() == 1


@pytest.mark.parametrize(("given", "threads"), [("1", 1), ("0", 2), ("many", 2), ("", 2)])
def test_one_worker_uses_no_more_threads_than_openmp_was_given(
    given: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("benchmarks.cli.execution_options.available_cores", lambda: 2)
    assert RunOptions(device="cpu", workers=1).machine().threads == threads
    assert RunOptions(device="cpu", workers=1, threads=3).machine().threads == 3
    assert RunOptions(device="cpu", workers=2).machine().threads == 1
