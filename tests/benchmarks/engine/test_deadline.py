"""Hours: runs that must end in time, and what records say tables take."""

import json
import multiprocessing
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.engine.cell import with_inputs
from benchmarks.engine.deadline import TimeIsUpError, stop_after
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table
from reports import records as store
from reports.records import Cost, Provenance, Record
from tests.benchmarks.command_line import here

SECOND = 1 / 3600


def test_work_is_stopped_when_the_hours_are_over_and_only_then() -> None:
    started = time.monotonic()
    with pytest.raises(TimeIsUpError), stop_after(0.2 * SECOND):
        time.sleep(30)
    assert time.monotonic() - started < 10
    with stop_after(0.3 * SECOND):
        pass
    with stop_after(0):
        time.sleep(0.5)


def test_an_alarm_that_is_lost_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python drops what is raised in a destructor or a callback of its garbage collector."""
    monkeypatch.setattr("benchmarks.engine.deadline.AGAIN", 0.1)
    started = time.monotonic()

    def drop_the_first() -> None:
        with stop_after(0.1 * SECOND):
            with suppress(TimeIsUpError):
                time.sleep(30)
            time.sleep(30)

    with pytest.raises(TimeIsUpError):
        drop_the_first()
    assert time.monotonic() - started < 10


def test_a_failing_cell_is_not_blamed_for_the_time() -> None:
    """No ``except Exception`` between a cell and the command line may catch it."""
    assert not issubclass(TimeIsUpError, Exception)


def test_a_run_out_of_time_stops_its_workers_and_reports_what_there_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["run", "table5", "--methods", "di", "--max-hours", str(3 * SECOND)]
    command += ["--workers", "2", "--device", "cpu", "--set", "di.settings.iterations=20000"]
    code, _, err = here(capfd, *command)
    assert code == 75, err
    assert err.splitlines()[-1] == (
        "--max-hours are over: what was finished is kept, the same command goes on"
    )
    assert not multiprocessing.active_children()
    assert (tmp_path / "reports" / "out" / "report.html").is_file()


@pytest.mark.parametrize("hours", ["-1", "nan", "inf"])
def test_hours_that_are_none_are_refused(
    hours: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["run", "table5", "--max-hours", hours])
    assert caught.value.code == 2
    assert capfd.readouterr().err.startswith("error: --max-hours ")


def test_recorded_seconds_are_played_through_the_workers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = with_inputs(expand(read_table("accuracy"), Recipes("demo", "digits"), [0]).targets)
    for cell in cells:
        if cell.kind != "fidelity":
            store.write(
                cell.folder(tmp_path),
                Record(
                    kind=cell.kind,
                    label=cell.label,
                    key=cell.key,
                    recipe=cell.recipe,
                    inputs={role: other.key for role, other in cell.inputs.items()},
                    metrics={},
                    cost=Cost(60.0, 60.0, 0, 1.0),
                    provenance=Provenance("abc", {}, "cpu", "fp32", 1, "Linux", "now"),
                    artefacts={},
                ),
            )
    main_arguments = ["plan", "accuracy", "--recorded", "--runs-dir", str(tmp_path), "--json"]
    walls = {}
    for workers in ("1", "2"):
        with pytest.raises(SystemExit) as caught:
            main([*main_arguments, "--workers", workers])
        assert caught.value.code == 0
        (row,) = json.loads(capfd.readouterr().out)
        assert (row["table"], row["cells"], row["recorded"]) == ("accuracy-demo-digits", 7, 5)
        walls[workers] = row["wall_seconds"]
    assert walls["1"] == pytest.approx(5 * 60)
    assert walls["2"] == pytest.approx(3 * 60, abs=5)  # the teacher, then two chains of two
