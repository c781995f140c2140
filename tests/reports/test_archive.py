"""Kept results: what reports need and nothing else."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reports.archive import KEPT, REPORT, RUNS, keep
from reports.records import RecordError, load_all, read
from reports.report import write_report
from reports.table_report import make_table_report
from reports.tables.table_files import read as read_table
from reports.tables.table_files import tables_to_report
from tests.reports.makers import put

TABLE = "table5-demo-digits"


def test_what_is_kept_gives_the_same_report(runs: Path, tmp_path: Path) -> None:
    for path in list(runs.glob("*/*/record.json")):
        (path.parent / "weights.safetensors").write_bytes(b"weights")
        (path.parent / "images").mkdir()
    kept = tmp_path / "kept"
    files = keep(runs, kept)
    assert {path.name for path in files} == {"record.json", "grid.png", f"{TABLE}.json"}
    assert sorted(files) == sorted(path for path in kept.rglob("*") if path.is_file())
    before = write_report(runs, tmp_path / "before")
    after = write_report(kept / "runs", tmp_path / "after")
    assert before.markdown == after.markdown
    assert before.page.read_bytes() == after.page.read_bytes()
    bare = keep(runs, kept, pictures=False)
    assert {path.name for path in bare} == {"record.json", f"{TABLE}.json"}
    assert sorted(bare) == sorted(path for path in kept.rglob("*") if path.is_file())
    assert write_report(kept / "runs", tmp_path / "bare").page.exists()


def test_what_is_not_whole_is_not_kept(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no table to keep"):
        keep(tmp_path / "nowhere", tmp_path / "kept")
    grid = next(runs.rglob("grid.png"))
    grid.write_bytes(bytes(3_000_000))
    with pytest.raises(RecordError, match=r"grid.png: 3,000,000 bytes are too many"):
        keep(runs, tmp_path / "kept")
    next(runs.glob("distillation/*/record.json")).unlink()
    with pytest.raises(RecordError, match="has no record; run the table to its end"):
        keep(runs, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("file", ["grid.png", "losses.csv"])
def test_a_file_that_is_not_its_records_is_not_kept(
    file: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that was kept before stays."""
    monkeypatch.setattr("reports.archive._shown", lambda table: [(record.key, file)])
    (grid,) = list(runs.rglob("grid.png"))[:1]
    record = put(runs, read(grid.parent / "record.json"), **{file.replace(".", "_"): b"whole"})
    kept = tmp_path / "kept"
    before = {path: path.read_bytes() for path in keep(runs, kept)}
    (grid.parent / file).write_bytes(b"who")
    with pytest.raises(RecordError, match=f"{file}: not the file its record names$"):
        keep(runs, kept)
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_what_lies_in_its_own_copy_is_refused_and_stays(runs: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    files = keep(runs, kept)
    for source, target in ((kept / "runs", kept), (runs, runs / "kept"), (runs, runs)):
        with pytest.raises(RecordError, match=r"one of them lies in the other$"):
            keep(source, target)
    assert all(path.is_file() for path in files)
    assert not (runs / "kept").exists()


@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_kept_before_stays_when_copying_ends_half_way(
    end: BaseException, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    before = {path: path.read_bytes() for path in keep(runs, kept)}

    def stop(*_: object) -> None:
        raise end

    with monkeypatch.context() as patch:
        patch.setattr("reports.archive.write", stop)
        with pytest.raises((RecordError, KeyboardInterrupt)) as caught:
            keep(runs, kept)
    if isinstance(end, OSError):
        assert str(caught.value) == f"{kept}: not kept (No space left on device)"
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_killed_copy_leaves_one_whole_version(runs: Path, tmp_path: Path) -> None:
    """Between the two renames, and with half a copy of another time."""
    kept = tmp_path / "kept"
    before = sorted(path.name for path in keep(runs, kept))
    kept.rename(tmp_path / ".kept.old")
    (tmp_path / ".kept.new").mkdir()
    (tmp_path / ".kept.new" / "half").touch()
    assert sorted(path.name for path in keep(runs, kept)) == before
    assert not (kept / "half").exists()
    assert not list(tmp_path.glob(".kept.*"))


def test_the_reports_of_the_repository_are_what_their_records_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their Markdown, whose pictures are laid out as ever but stored empty."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    folders = [path.parent for path in KEPT.glob(f"*/{RUNS}")]
    assert folders
    for folder in folders:
        runs = folder / RUNS
        records = load_all(runs)
        made = {
            f"{file.stem}.md": make_table_report(read_table(file), records, runs).markdown
            for file in tables_to_report(runs)
        }
        assert made == {path.name: path.read_text() for path in (folder / REPORT).glob("*.md")}


def test_nothing_but_records_and_small_pictures_is_kept() -> None:
    files = [path for path in KEPT.glob(f"*/{RUNS}/**/*") if path.is_file()]
    assert files
    for path in files:
        assert path.suffix in (".json", ".png", ".csv"), path
        assert path.stat().st_size < 2_000_000, path
