"""Pages of results have no number of their own, and say what they miss."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace
from PIL import Image

from reports.archive import keep
from reports.figures import draw
from reports.figures.contact_sheet import draw_contact_sheet
from reports.records import RecordError
from reports.regression.accepted import accepted_from
from reports.regression.accepted_file import FOLDER, read
from reports.regression.accepted_file import write as write_accepted
from reports.results_pages.accepted import AcceptedNumbers
from reports.results_pages.kept import Archive, difference_over_runs
from reports.results_pages.render import BEGIN, END, README_TEMPLATE, render, render_all
from reports.results_pages.values import difference_by_seed
from reports.tables.layout import FigureSpec
from reports.tables.table_files import read as read_table
from reports.tables.table_files import write
from tests.reports.makers import make_tiles
from tests.reports.regression.test_check import case

TABLE = "table5-demo-digits"
TEMPLATE = "page.md.j2"
DOCS = Path(__file__).parents[2] / "docs"


def pixels_of(png: bytes) -> npt.NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)


def test_numbers_of_the_page_are_those_of_the_records(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "kept" / "here")
    template = tmp_path / TEMPLATE
    template.write_text(
        "{% set k = kept('here') %}"
        f"NI {{{{ k.value('{TABLE}', 'r', 'NI') }}}}, "
        f"{{{{ k.difference('{TABLE}', 'r', 'NI', 'DI') }}}} points, "
        "{{ '%.2f' % k.hours }} h on {{ k.made_with }}\n"
    )
    said, pictures = render(template, tmp_path / "kept")
    assert not pictures
    assert said.startswith("NI 90.1 ± 0.1, +10.0 [10.0, 10.0], p = ")
    assert said.endswith(" points, 0.03 h on cpu, threads a run: 2, PyTorch 2.15.0, fp32\n")


def test_a_difference_over_runs_is_of_each_seeds_mean(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    first, second = Archive(tmp_path / "here"), Archive(tmp_path / "here")
    for key in second.line(TABLE, "r", "DI")["records"]:
        metrics = {"test_accuracy": second.records[key].metrics["test_accuracy"] - 0.04}
        second.records[key] = replace(second.records[key], metrics=metrics)
    second._reports.clear()
    line = {name: first.line(TABLE, "r", name) for name in ("NI", "DI")}
    ours, theirs = (dict(zip(one["seeds"], one["values"], strict=True)) for one in line.values())
    lower = {seed: value - 2 for seed, value in theirs.items()}  # half of four points
    found = difference_over_runs([(first, TABLE), (second, TABLE)], "r", "NI", "DI")
    assert found == difference_by_seed(ours, lower, "here")
    assert found != first.difference(TABLE, "r", "NI", "DI")
    with pytest.raises(RecordError, match=r"^r: NI and DI share no seed$"):
        difference_over_runs([], "r", "NI", "DI")


def test_pairs_that_no_test_tells_apart_are_named(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    first, again = Archive(tmp_path / "here"), Archive(tmp_path / "here")
    assert first.alike(TABLE, "r", ["NI", "DI"]) == []
    for key in again.line(TABLE, "r", "DI")["records"]:
        again.records[key] = replace(again.records[key], metrics={"test_accuracy": 0.9})
    again._reports.clear()
    assert again.alike(TABLE, "r", ["NI", "DI"]) == ["NI and DI"]


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
    with pytest.raises(RecordError, match=r"has no column XX; there are: DFAD, DI, NI$"):
        kept.value(TABLE, "r", "XX")
    assert kept.row_difference(TABLE, "NI", "r", "r") == "+0.0"
    assert kept.metric(TABLE, "r", "NI", "images", of="images") == 64
    with pytest.raises(RecordError, match=r"has no number frame; there are: test_accuracy$"):
        kept.metric(TABLE, "r", "NI", "frame")
    template = tmp_path / TEMPLATE
    template.write_text("{{ kept('here').value(no_such_name, 'r', 'NI') }}")
    with pytest.raises(RecordError, match=r"page\.md\.j2: 'no_such_name' is undefined$"):
        render(template, tmp_path / "kept")
    assert kept.table(TABLE).startswith("| Teacher")
    head, _, row = kept.summary(TABLE, {"NI": "NI, %"}, head="Pair").splitlines()
    assert head.split() == ["|", "Pair", "|", "NI,", "%", "|"]
    assert row.split("|")[2] == " 90.1 ± 0.1 "
    with pytest.raises(RecordError, match=r"has no column XX; there are"):
        kept.summary(TABLE, {"NI": "NI", "XX": "another"})


def test_the_pages_of_the_repository_are_what_their_records_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only = {"png": draw.METADATA["png"]}  # no page shows another format
    monkeypatch.setattr(draw, "METADATA", only)
    made = render_all(DOCS)
    pages = {path: data for path, data in made.items() if path.suffix == ".md"}
    assert {page.name for page in pages} == {"README.md", "results.md", "tuning.md", "digits.md"}
    for page, data in pages.items():
        assert page.read_text("utf-8") == data.decode(), page
    for path in made.keys() - pages.keys():
        drawn, there = (
            np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
            for data in (made[path], path.read_bytes())
        )
        assert drawn.shape == there.shape, path
        assert np.abs(drawn - there).mean() < 1, (
            path
        )  # another matplotlib may set letters otherwise
        assert path.name in "".join(data.decode() for data in pages.values())


def test_pictures_of_a_page_are_those_of_its_records(runs: Path, tmp_path: Path) -> None:
    file = runs / "tables" / f"{TABLE}.json"
    spec = FigureSpec(type="image_grid", title="Samples", caption="", classes=["a", "b"])
    write(file, replace(read_table(file), figures=[spec]))
    keep(runs, tmp_path / "kept" / "here")
    template = tmp_path / TEMPLATE
    template.write_text(
        "{% set k = kept('here') %}"
        f"{{% set tiles = k.tiles('{TABLE}', 'r', 'NI') %}}"
        f"[grid](results/{{{{ k.grid('{TABLE}', 'r', 'NI') }}}})"
        "![]({{ sheet('sheet.png', {'NI': tiles}, 'abcdefghij') }}) "
        f"![]({{{{ figure('samples.png', k.report('{TABLE}').figures[0]) }}}})\n"
    )
    text, pictures = render(template, tmp_path / "kept")
    grid, _, shown = text.partition("!")
    assert shown == "[](sheet.png) ![](samples.png)\n"
    path = grid.removeprefix("[grid](results/").removesuffix(")")
    assert (tmp_path / "kept" / path).read_bytes().startswith(b"\x89PNG")
    kept = Archive(tmp_path / "kept" / "here")
    assert pictures == {
        "sheet.png": draw_contact_sheet({"NI": make_tiles()}, "abcdefghij"),
        "samples.png": kept.report(TABLE).figures[0].png,
    }
    next((tmp_path / "kept").rglob("grid.png")).unlink()
    with pytest.raises(RecordError, match=r"grid\.png: missing$"):
        render(template, tmp_path / "kept")


def test_only_the_marked_part_of_the_readme_is_written(runs: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / README_TEMPLATE).write_text("{{ 1 + 1 }}\n")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}old\n{END}after\n")
    assert render_all(docs) == {readme: f"before\n{BEGIN}2\n{END}after\n".encode()}
    readme.write_text("no marks\n")
    with pytest.raises(RecordError, match=r"README\.md: no part between <!-- measured: begin"):
        render_all(docs)


def test_a_difference_has_its_interval_and_p_from_three_seeds_on() -> None:
    one, other = {0: 61.0, 1: 62.0, 2: 66.0}, {0: 50.0, 1: 52.0, 2: 53.0, 3: 90.0}
    # differences 11, 10, 13: mean 11.33, sd 1.53, t(2) = 4.303
    assert difference_by_seed(one, other, "here") == "+11.3 [7.5, 15.1], p = 0.006"
    assert difference_by_seed({0: 61.0}, other, "here") == "+11.0"
    assert difference_by_seed({0: 0.009}, {0: 0.002}, "here") == "+0.007", "small ones in full"
    alike = {seed: value + 0.2 for seed, value in one.items()}
    assert difference_by_seed(alike, one, "here") == "+0.2", "no interval without a spread"
    around = {0: 61.04, 1: 62.06, 2: 66.02}  # its lower bound rounds to zero from below
    assert difference_by_seed(around, one, "here") == "+0.0 [0.0, 0.1], p = 0.07"
    with pytest.raises(RecordError, match=r"^here share no seed$"):
        difference_by_seed({7: 1.0}, other, "here")


def test_accepted_numbers_are_read_from_their_file(tmp_path: Path) -> None:
    numbers = AcceptedNumbers(FOLDER / "accuracy-demo-digits.csv")
    (student,) = (
        one
        for one in read(FOLDER / "accuracy-demo-digits.csv")
        if (one.row, one.column) == ("ni", "student")
    )
    assert numbers.value("ni", "student") == f"{student.mean:.1f} ± {student.sd:.1f}"
    assert numbers.row_difference("student", "ni", "ni") == "+0.0"
    with pytest.raises(RecordError, match=r"digits\.csv: no number xx student; there are: di "):
        numbers.value("xx", "student")


def test_accepted_numbers_say_what_seeds_and_what_machines_differ_by(tmp_path: Path) -> None:
    student, fid = accepted_from(*case())
    twice = replace(
        fid, again=(40.3, 41.3), again_seeds=(0, 1), again_on="cpu in bf16; cpu in bf16"
    )
    write_accepted(tmp_path / "numbers.csv", [student, twice])
    numbers = AcceptedNumbers(tmp_path / "numbers.csv")
    assert numbers.spread("ni", "fid") == "3.8", "sd 1.58 of 42"
    assert numbers.rounding("ni", "fid") == "0.51", "pairs 0.3 apart: 0.3 / sqrt(2) of 42"
    with pytest.raises(RecordError, match=r"csv: ni student has no second values$"):
        numbers.rounding("ni", "student")


ASKED: list[tuple[str, Callable[[Archive], object]]] = [
    ("no table misspelt; there are: table5-demo-digits", lambda k: k.table("misspelt")),
    ("has no column r; there are: DFAD, DI, NI", lambda k: k.summary(TABLE, {"r": "a row"})),
    ("has no row DI; there are: r", lambda k: k.value(TABLE, "DI", "DI")),
    (
        "has no input teacher; there are: images",
        lambda k: k.metric(TABLE, "r", "DI", "x", "teacher"),
    ),
    ("di-images has no number typo; there are: images", lambda k: k.of_images(*DI, "typo")),
    ("di-images has no number typo; there are: images", lambda k: k.total_of_images(*DI, "typo")),
]
DI = TABLE, "r", "DI"


@pytest.mark.parametrize(("says", "ask"), ASKED)
def test_what_is_not_there_is_one_line_that_says_what_is(
    says: str, ask: Callable[[Archive], object], runs: Path, tmp_path: Path
) -> None:
    keep(runs, tmp_path / "here")
    with pytest.raises(RecordError) as caught:
        ask(Archive(tmp_path / "here"))
    assert str(caught.value).endswith(says)


def test_numbers_that_are_of_no_images_have_none_to_count(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "here")
    kept = Archive(tmp_path / "here")
    for key, record in kept.records.items():
        kept.records[key] = replace(record, inputs={})
    for ask in (kept.total_of_images, kept.of_images):
        with pytest.raises(RecordError, match=r"was made from no synthetic images$"):
            ask(TABLE, "r", "DI", "images")


def test_results_that_are_not_kept_are_no_empty_ones(runs: Path, tmp_path: Path) -> None:
    keep(runs, tmp_path / "kept" / "here")
    with pytest.raises(RecordError, match=r"kept: no kept results there; there are: here$"):
        Archive(tmp_path / "kept" / "there")


@pytest.mark.parametrize("text", ["{{ kept('here').valeu('t') }}", "{% if %}"])
def test_a_template_that_can_not_be_filled_is_one_line(
    text: str, runs: Path, tmp_path: Path
) -> None:
    keep(runs, tmp_path / "kept" / "here")
    (tmp_path / TEMPLATE).write_text(text)
    with pytest.raises(RecordError, match=r"page\.md\.j2: ") as caught:
        render(tmp_path / TEMPLATE, tmp_path / "kept")
    assert "\n" not in str(caught.value)
