"""Kept results: what reports need and nothing else; a page with no number of its own."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from msgspec.structs import replace

from benchmarks.tables.paper_settings import paper_settings
from reports.archive import KEPT, REPORT, RUNS, TEMPLATE, Archive, keep, render_results
from reports.records import RecordError
from reports.report import write_report

TABLE = "table5-demo-digits"
DOCS = Path(__file__).parents[2] / "docs"


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


def test_numbers_of_the_page_are_those_of_the_records(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "kept" / "here")
    template = tmp_path / TEMPLATE
    template.write_text(
        "{% set k = kept('here') %}"
        f"NI {{{{ k.value('{TABLE}', 'r', 'NI') }}}}, "
        f"{{{{ k.difference('{TABLE}', 'r', 'NI', 'DI') }}}} points, "
        "{{ '%.2f' % k.hours }} h on {{ k.made_with }}\n"
    )
    said = render_results(template, tmp_path / "kept")
    assert said.startswith("NI 90.1 ± 0.1, +10.0 (paired over 3 seeds, p = ")
    assert said.endswith(" points, 0.03 h on cpu, threads a run: 2, PyTorch 2.15.0, fp32\n")


def test_pairs_that_no_test_tells_apart_are_named(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    kept = Archive(tmp_path / "here")
    assert kept.alike(TABLE, "r", ["NI", "DI"]) == "none"
    for key in kept.line(TABLE, "r", "DI")["records"]:
        kept.records[key] = replace(kept.records[key], metrics={"test_accuracy": 0.9})
    again = Archive(tmp_path / "here")
    again.records.update(kept.records)
    assert again.alike(TABLE, "r", ["NI", "DI"]) == "NI and DI"


def test_a_metric_of_images_is_of_all_cells_that_made_them(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    kept, place = Archive(tmp_path / "here"), (TABLE, "r", "NI")
    for seed, key in enumerate(kept.line(*place)["records"]):
        cells = {f"cell{seed}{part}": images for part, images in enumerate((10, 30))}
        for part, (cell, images) in enumerate(cells.items()):
            metrics = {"images": images, "teacher_agreement": 0.8 + 0.1 * part, "flat_images": part}
            kept.records[cell] = replace(
                kept.records[key], kind="synthesis", key=cell, inputs={}, metrics=metrics
            )
        kept.records[key] = replace(kept.records[key], inputs={name: name for name in cells})
    assert kept.of_images(*place, "teacher_agreement", 100) == "87.5 ± 0.0"
    assert kept.total_of_images(*place, "images") == "120"
    assert kept.total_of_images(*place, "flat_images") == "3"


def test_a_gpu_is_named_by_itself(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    kept = Archive(tmp_path / "here")
    key, record = next(iter(kept.records.items()))
    where = replace(
        record.provenance, device="cuda (NVIDIA H200)", cpu="AMD EPYC", precision="bf16"
    )
    kept.records[key] = replace(record, provenance=where)
    assert kept.made_with.split("; ")[0] == "NVIDIA H200, PyTorch 2.15.0, bf16"


def test_a_number_without_a_record_is_an_error(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "kept" / "here")
    kept = Archive(tmp_path / "kept" / "here")
    with pytest.raises(RecordError, match="has no number r, XX"):
        kept.value(TABLE, "r", "XX")
    assert kept.row_difference(TABLE, "NI", "r", "r").startswith("+0.0 (paired over 3 seeds")
    assert kept.metric(TABLE, "r", "NI", "images", of="images") == 64
    with pytest.raises(RecordError, match="has no frame"):
        kept.metric(TABLE, "r", "NI", "frame")
    template = tmp_path / TEMPLATE
    template.write_text("{{ kept('here').value(no_such_name, 'r', 'NI') }}")
    with pytest.raises(UndefinedError):
        render_results(template, tmp_path / "kept")
    assert kept.table(TABLE).startswith("| Teacher")
    head, _, row = kept.summary(TABLE, {"NI": "NI, %"}, rows=["r"]).splitlines()
    assert head.split() == ["|", "|", "NI,", "%", "|"]
    assert row.split("|")[2] == " 90.1 ± 0.1 "
    with pytest.raises(RecordError, match="has no XX"):
        kept.summary(TABLE, {"NI": "NI", "XX": "another"})
    with pytest.raises(RecordError, match="has no no row"):
        kept.summary(TABLE, {"NI": "NI"}, rows=["no row"])


def test_the_page_of_the_repository_is_what_its_records_say() -> None:
    assert (DOCS / "results.md").read_text() == render_results(DOCS / TEMPLATE)


def test_the_reports_of_the_repository_are_what_their_records_say(tmp_path: Path) -> None:
    folders = [path.parent for path in KEPT.glob(f"*/{RUNS}")]
    assert folders
    for folder in folders:
        made = write_report(folder / RUNS, tmp_path / folder.name, protocol=paper_settings())
        kept = {path.name: path.read_text() for path in (folder / REPORT).glob("*.md")}
        assert kept == {path.name: path.read_text() for path in made.paths if path.suffix == ".md"}


def test_nothing_but_records_and_small_pictures_is_kept() -> None:
    files = [path for path in KEPT.glob(f"*/{RUNS}/**/*") if path.is_file()]
    assert files
    for path in files:
        assert path.suffix in (".json", ".png", ".csv"), path
        assert path.stat().st_size < 2_000_000, path
