"""What a run finds beside its own cells: other seeds, other precisions, a worker killed."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.cli import table_options
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.options import PathOptions
from benchmarks.cli.other_precision import refuse_other_precision
from benchmarks.cli.request_checks import check_request
from benchmarks.cli.shown_tables import write_tables
from benchmarks.cli.table_options import run_and_report
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.cell_runner import CellFailedError
from benchmarks.engine.deadline import TimeIsUpError
from benchmarks.engine.executor import Summary
from benchmarks.engine.machine import Machine
from benchmarks.engine.workers import WorkerKilledError
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import MissingError, UsageError
from reports import records as store
from reports.records import SchemaError
from reports.tables.table_files import read, table_files
from tests.benchmarks.command_line import here
from tests.reports.makers import make_record

HERE = RunOptions(device="cpu", workers=1)


def planned(seed: int, dataset: str = "digits") -> PlannedTable:
    recipes, rows = Recipes("demo", dataset), ["vgg11-resnet18"]
    return expand(read_table("table5"), recipes, [seed], methods=["di"], rows=rows)


def make(table: PlannedTable, runs: Path, precision: str = "fp32", kinds: str = "") -> None:
    """Records of the table's cells, or of some kinds."""
    for cell in with_inputs(table.targets):
        if cell.kind in (kinds or cell.kind):
            made = make_record(cell.key, kind=cell.kind, label=cell.label)
            where = replace(made.provenance, precision=precision)
            store.write(cell.folder(runs), replace(made, provenance=where))


@pytest.fixture
def paths(tmp_path: Path) -> PathOptions:
    """Folders of their own."""
    return PathOptions(runs_dir=tmp_path / "runs", out_dir=tmp_path / "out")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Do this in place of computing, and end with an error or without."""

    def during(do: Callable[[], None], error: BaseException | None = None) -> None:
        def run(*given: Any) -> Summary:
            summary = given[-1]
            assert isinstance(summary, Summary)
            summary.failed = {"di": CellFailedError("di: no memory")} if error else {}
            do()
            if error is not None:
                raise error
            return summary

        monkeypatch.setattr(table_options, "run", run)

    return during


def test_only_cells_that_are_not_done_need_their_data(paths: PathOptions, tmp_path: Path) -> None:
    """A download brings it, and the nodes of a cluster may have it."""
    table = planned(0, "cifar10")
    paths = dataclasses.replace(paths, data_root=tmp_path)
    with pytest.raises(MissingError, match="cifar10 is missing"):
        check_request([table], paths, HERE, json=False)
    check_request([table], dataclasses.replace(paths, download=True), HERE, json=False)
    check_request([table], paths, RunOptions(device="cpu", engine="ray"), json=False)
    make(table, paths.runs_dir)
    check_request([table], paths, HERE, json=False)


@pytest.mark.parametrize(
    "error",
    [
        None,
        TimeIsUpError(),
        WorkerKilledError("a: killed"),
        UsageError("a: other images by now"),
        MissingError("a: no such file"),
    ],
)
def test_seeds_of_another_command_stay_in_the_table_and_its_report(
    error: BaseException | None, paths: PathOptions, meanwhile: Callable[..., None]
) -> None:
    """It began after this one, and had no number yet when this one's table was written."""
    own, other = planned(0), planned(1)

    def beside() -> None:
        write_tables(other.tables, paths.runs_dir)
        make(own, paths.runs_dir)
        make(other, paths.runs_dir)

    meanwhile(beside, error)
    if error is None:
        assert run_and_report([own], paths, HERE, json=False) == 0
    else:
        with pytest.raises(type(error)):
            run_and_report([own], paths, HERE, json=False)
    (file,) = table_files(paths.runs_dir)
    assert read(file).seeds == [0, 1]
    assert "n = 2" in (paths.out() / f"{file.stem}.md").read_text()
    assert (paths.out() / "report.html").is_file()


def test_another_floor_makes_nothing_anew_and_holds_for_what_is_there(paths: PathOptions) -> None:
    def with_floor(floor: float) -> PlannedTable:
        changes = [f"protocol.classifier_floor={floor}"]
        recipes, rows = Recipes("demo", "digits", changes), ["vgg11-resnet18"]
        return expand(read_table("table5"), recipes, [0], methods=["di"], rows=rows)

    keys = {cell.key for cell in with_inputs(planned(0).targets)}
    for floor in (0.05, 1.0):
        assert {cell.key for cell in with_inputs(with_floor(floor).targets)} == keys
    make(planned(0), paths.runs_dir)
    check_request([with_floor(0.05)], paths, HERE, json=False)
    with pytest.raises(UsageError, match=r"has .*% test accuracy, below the floor 100.0%, proto"):
        check_request([with_floor(1.0)], paths, HERE, json=False)


def test_when_the_time_is_up_there_is_a_result(
    paths: PathOptions, meanwhile: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """As of a run that ends by itself: what failed, and the tables so far."""
    meanwhile(lambda: make(planned(0), paths.runs_dir), TimeIsUpError())
    with pytest.raises(TimeIsUpError):
        run_and_report([planned(0)], paths, HERE, json=True)
    out, err = capfd.readouterr()
    assert json.loads(out)["failed"] == {"di": "di: no memory"}
    assert "failed: di: no memory" in err


def test_another_runs_folder_has_a_page_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[..., None]
) -> None:
    monkeypatch.chdir(tmp_path)
    meanwhile(lambda: None)
    run_and_report([planned(0)], PathOptions(), HERE, json=False)
    page = Path("reports/out/report.html").read_bytes()
    run_and_report([planned(1)], PathOptions(runs_dir=Path("other")), HERE, json=False)
    assert Path("reports/out/report.html").read_bytes() == page
    assert Path("other/report/report.html").read_bytes() != page
    asked = PathOptions(runs_dir=Path("other"), out_dir=Path("reports/out"))
    run_and_report([planned(1)], asked, HERE, json=False)
    assert Path("reports/out/report.html").read_bytes() != page


def test_another_precision_is_refused_before_anything_is_computed_or_written(
    paths: PathOptions, meanwhile: Callable[..., None]
) -> None:
    make(planned(0), paths.runs_dir, "bf16")
    (file,) = write_tables(planned(0).tables, paths.runs_dir)
    before = file.read_bytes()
    meanwhile(lambda: pytest.fail("computed"))
    with pytest.raises(UsageError) as caught:
        run_and_report([planned(1)], paths, HERE, json=False)
    said = str(caught.value)
    assert said.startswith("table5-demo-digits-")
    assert said.endswith(
        " has numbers in bf16, this run computes in fp32: give --precision bf16, or another "
        "--runs-dir"
    )
    assert file.read_bytes() == before


def put_record_of_another_version(runs: Path) -> None:
    file = runs / "classifier" / "other-0123456789ab" / store.FILE_NAME
    file.parent.mkdir(parents=True)
    file.write_text('{"schema": 2}')


def test_a_record_that_no_report_takes_is_said_before_anything_is_computed(
    paths: PathOptions, meanwhile: Callable[..., None]
) -> None:
    put_record_of_another_version(paths.runs_dir)
    meanwhile(lambda: pytest.fail("computed"))
    with pytest.raises(SchemaError, match="other-0123456789ab"):
        run_and_report([planned(0)], paths, HERE, json=False)


def test_a_report_that_fails_does_not_hide_why_the_run_ended(
    paths: PathOptions, meanwhile: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """A script that gives the command again does so at one exit code."""
    meanwhile(lambda: put_record_of_another_version(paths.runs_dir), TimeIsUpError())
    with pytest.raises(TimeIsUpError):
        run_and_report([planned(0)], paths, HERE, json=False)
    assert "no report: " in capfd.readouterr().err


def test_runs_in_a_file_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").touch()
    code, _, err = here(capfd, "status", "table5", "--runs-dir", str(tmp_path / "runs"))
    assert (code, err) == (2, f"error: --runs-dir {tmp_path / 'runs'}: not a folder\n")


def test_the_status_of_a_folder_that_is_not_there_is_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, out, err = here(capfd, "status", "table5", "--runs-dir", "mistyped")
    assert (code, out) == (3, "")
    assert err == "error: --runs-dir mistyped: no such folder; run a table first\n"


def refuse(runs: Path, machine: Machine, made: int = 0) -> None:
    table, other = planned(made), planned(1)
    shown = table.tables_of([made, 1])
    refuse_other_precision(shown, other.targets, runs, machine)


def test_what_it_says_is_what_the_machine_can(tmp_path: Path) -> None:
    make(planned(0), tmp_path, "fp32")
    with pytest.raises(UsageError, match=r"in tf32: give --precision fp32, or another --runs-dir$"):
        refuse(tmp_path, Machine("cuda", "tf32"))
    make(planned(0), tmp_path, "tf32")
    with pytest.raises(UsageError, match=r"in tf32, .* in fp32: take another --runs-dir$"):
        refuse(tmp_path, Machine("cpu", "fp32"))
    refuse(tmp_path, Machine("cuda", "tf32"))


@pytest.mark.parametrize("beside", ["pretrained", "classifier"])
def test_a_ready_classifier_is_tested_in_fp32_whatever_is_beside_it(
    beside: str, tmp_path: Path
) -> None:
    """One has its record, the other is still to be tested; or one was trained."""
    recipes, rows = Recipes("small", "cifar10"), ["vgg11-resnet18", "resnet34-resnet18"]
    table = expand(read_table("table5"), recipes, [0], methods=["di"], rows=rows)
    one, *others = [cell for cell in table.targets if cell.kind == "pretrained"]
    assert others
    made = make_record(one.key, kind=beside)
    where = replace(made.provenance, precision="bf16")
    store.write(one.folder(tmp_path), replace(made, provenance=where))
    refuse_other_precision(table.tables, table.targets, tmp_path, Machine())


def images_of(seed: int) -> list[Cell]:
    return [c for c in with_inputs(planned(seed).targets) if c.kind == "synthesis"]


def test_images_in_two_precisions_do_not_share_a_column(tmp_path: Path) -> None:
    """Their students would be in one precision, and no column would tell."""
    make(planned(0), tmp_path, "bf16", kinds="synthesis")
    two = planned(0).tables_of([0, 1])
    targets = [*planned(0).targets, *planned(1).targets]
    with pytest.raises(
        UsageError, match=r"DI has numbers of images in bf16, .* in fp32: give --pr"
    ):
        refuse_other_precision(two, targets, tmp_path, Machine())
    refuse_other_precision(two, targets, tmp_path, Machine("cpu", "bf16"))
    refuse_other_precision(planned(0).tables, planned(0).targets, tmp_path, Machine())


def test_images_begun_in_another_precision_are_not_gone_on_with(tmp_path: Path) -> None:
    begun = images_of(1)[0].folder(tmp_path) / "images"
    begun.mkdir(parents=True)
    meta = {"method": "di", "teacher": "", "num_classes": 10, "image_shape": [3, 16, 16]}
    meta |= {"mean": [], "std": [], "seed": 1, "batch_size": 4, "batches": 1, "precision": "bf16"}
    (begun / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(UsageError, match=r"has images begun in bf16, .* give --precision bf16"):
        refuse(tmp_path, Machine())
    refuse(tmp_path, Machine("cpu", "bf16"))


def test_what_is_measured_needs_no_inception_again(paths: PathOptions) -> None:
    recipes = Recipes("mini", "cifar10")
    table = expand(read_table("table1"), recipes, [0], rows=["di"])
    with pytest.raises(MissingError, match="weights-inception"):
        check_request([table], paths, HERE, json=False)
    make(table, paths.runs_dir)
    check_request([table], paths, HERE, json=False)


def test_only_what_would_share_a_column_is_refused(tmp_path: Path) -> None:
    """Neither what images were made in, nor a table that has all its numbers, nor a damaged one."""
    make(planned(0), tmp_path, "bf16", kinds="synthesis")
    refuse(tmp_path, Machine())
    make(planned(0), tmp_path, "bf16")
    make(planned(1), tmp_path, "bf16")
    refuse(tmp_path, Machine())
    for path in tmp_path.glob("*/*/record.json"):
        path.write_text("{")
    refuse(tmp_path, Machine())
