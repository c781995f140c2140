"""``keep`` and ``results``: a report that can't be made leaves the one that was there."""

from pathlib import Path

import pytest

from benchmarks.cli import archive
from benchmarks.cli.archive import Keep, Results
from reports.records import RecordError, write
from reports.results_pages.render import BEGIN, END, README_TEMPLATE
from reports.tables import table_files
from reports.tables.layout import Picture, TableCell
from tests.benchmarks.command_line import here, one_line
from tests.reports.makers import make_grid, make_record, make_table, make_tiles, put


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kept results of one number, with their report."""
    runs = tmp_path / "runs"
    put(runs, make_record("k", 0.9))
    table_files.write(runs / "tables" / "t.json", make_table({"DI": TableCell(["k"])}))
    monkeypatch.setattr(archive, "KEPT", tmp_path / "results")
    assert Keep("here", runs_dir=runs).run() == 0
    return tmp_path / "results" / "here"


@pytest.mark.parametrize(
    ("more", "pictures"), [([], ["grid.png"]), (["--no-pictures"], [])], ids=["with", "without"]
)
def test_pictures_are_kept_unless_told_otherwise(
    more: list[str],
    pictures: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    runs = tmp_path / "runs"
    images = make_record("images", kind="synthesis", label="di-images", metrics={"images": 64})
    put(runs, images, grid_png=make_grid(make_tiles()))
    put(runs, make_record("k", 0.9, inputs={"images": "images"}))
    shown = [Picture("DI", "a column per class", "images", "grid.png")]
    table = make_table({"DI": TableCell(["k"])}, pictures=shown)
    table_files.write(runs / "tables" / "t.json", table)
    monkeypatch.setattr(archive, "KEPT", tmp_path / "results")
    command = ["keep", "--name", "here", "--runs-dir", str(runs), *more]
    assert here(capfd, *command)[0] == 0
    kept = tmp_path / "results" / "here" / "runs"
    assert [path.name for path in kept.rglob("*.png")] == pictures
    assert len(list(kept.rglob("record.json"))) == 2


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_kept_beside_its_records_and_made_again(kept: Path, tmp_path: Path) -> None:
    before = content(kept)
    assert {"report/t.md", "report/report.html", "runs/tables/t.json"} <= {
        str(path.relative_to(kept)) for path in before
    }
    (kept / "report" / "old.md").touch()
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "page.md.j2").write_text("{{ 'No' }} numbers.\n")
    (docs / README_TEMPLATE).write_text("None.\n")
    (tmp_path / "README.md").write_text(f"{BEGIN}{END}")
    assert Results(docs).run() == 0
    assert (docs / "page.md").read_text() == "No numbers.\n"
    assert (tmp_path / "README.md").read_text() == f"{BEGIN}None.\n{END}"
    assert content(kept) == before
    assert [path.name for path in kept.parent.iterdir()] == ["here"]


def test_a_report_that_can_not_be_made_leaves_the_old_one(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "page.md.j2").touch()
    without = make_record("k", metrics={"other": 1.0})
    for runs in (kept / "runs", tmp_path / "runs"):
        write(next(runs.glob("distillation/*")), without)
    before = content(kept)
    with pytest.raises(RecordError, match="no number 'test_accuracy'"):
        Results(tmp_path).run()
    assert content(kept) == before
    with pytest.raises(RecordError, match="no number 'test_accuracy'"):
        Keep("here", runs_dir=tmp_path / "runs").run()
    assert content(kept) == before


def test_a_folder_without_templates_is_one_line(
    kept: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And no report is made again."""
    (kept / "report" / "old.md").touch()
    (tmp_path / "docs").mkdir()
    code, out, err = here(capfd, "results", "--docs", str(tmp_path / "docs"))
    assert (code, out) == (3, "")
    assert one_line(err) == f"error: {tmp_path / 'docs' / '*.md.j2'} is missing"
    assert (kept / "report" / "old.md").is_file()
