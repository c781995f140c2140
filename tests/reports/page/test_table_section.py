"""A table of the page: pictures, figures, heads, tooltips, and what filters go by."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from reports import records as store
from reports.figures.tiles import join_tiles
from reports.page import render_page
from reports.records import Record
from reports.table_report import make_table_report
from reports.tables import table_files
from reports.tables.layout import FigureSpec, Picture, Table, TableCell
from tests.reports.makers import (
    DI_CLAIM,
    make_column,
    make_record,
    make_table,
    make_tiles,
    put,
)
from tests.reports.page.page_reader import Page, page_of, rendered, shown_text

Case = tuple[Table, dict[str, Record]]
MakeCase = Callable[..., Case]


def test_sample_images_are_inside_the_page_pixel_by_pixel(runs: Path) -> None:
    (source,) = Page(rendered(runs)).values("src")
    data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    shown = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(shown, join_tiles(make_tiles(), gap=1))


@pytest.mark.parametrize("fault", ["missing", "changed", "text", "record"])
def test_a_picture_that_is_not_the_record_s_is_not_shown(runs: Path, fault: str) -> None:
    folder = next(runs.glob("synthesis/*"))
    record = store.read(folder / "record.json")
    picture = folder / "grid.png"
    if fault == "missing":
        picture.unlink()
        reason = "grid.png: missing"
    elif fault == "changed":
        store.write(folder, msgspec.structs.replace(record, artefacts={"grid.png": "0" * 64}))
        reason = "grid.png: not the file its record names"
    elif fault == "text":
        put(runs, record, grid_png="<svg onload=alert(1)>")
        reason = "grid.png: not a PNG"
    else:
        (folder / "record.json").unlink()
        reason = "not run"
    html = rendered(runs)
    assert reason in html
    assert str(runs) not in html
    assert Page(html).values("src") == []


def test_a_picture_of_two_tables_is_in_the_page_once(runs: Path) -> None:
    path = runs / "tables" / "table5-demo-digits.json"
    other = msgspec.structs.replace(table_files.read(path), id="table2")
    table_files.write(path.with_name("table2-demo-digits.json"), other)
    page = Page(rendered(runs))
    assert len(page.values("src")) == 1
    assert page.values("data-same") == [page.all("img")[0]["id"]]
    assert all(attrs["alt"] for attrs in page.all("img"))


def test_another_data_set_is_a_warning_on_the_page(tmp_path: Path) -> None:
    cells = {"DI": TableCell([""], DI_CLAIM)}
    assert 'class="warning"' in page_of(make_table(cells), {}, tmp_path)
    same = page_of(make_table(cells, dataset="cifar10"), {}, tmp_path)
    assert 'class="warning"' not in same
    none = page_of(make_table({"DI": TableCell([""])}), {}, tmp_path)
    assert 'class="warning"' not in none
    assert "The paper has no numbers for these rows." in none


@pytest.mark.parametrize(("accuracy", "shown"), [(0.9, "-3.72"), (0.94, "+0.28")])
def test_a_number_shows_on_which_side_of_the_paper_it_lies(
    accuracy: float, shown: str, tmp_path: Path
) -> None:
    """The paper has 93.72."""
    cells = {"NI": TableCell(["k"], "table5/cifar10/resnet34/resnet18/ni/test_accuracy")}
    records = {"k": make_record("k", accuracy)}
    table = make_table(cells, dataset="cifar10")
    assert shown in shown_text(page_of(table, records, tmp_path)).split()
    elsewhere = shown_text(page_of(make_table(cells), records, tmp_path)).split()
    assert shown not in elsewhere, "digits are not compared with CIFAR-10"


def test_a_column_shows_title_detail_unit_and_which_way_it_goes(
    tmp_path: Path, ablation: MakeCase
) -> None:
    table, records = ablation({"NI": {"fid": [76.0], "precision": [0.7]}})
    text = shown_text(page_of(table, records, tmp_path))
    assert "↑ higher is better, ↓ lower is better" in text
    assert "FID↓ lower is better" in text
    assert "PRECISION↑ higher is better" in text
    cells = {"precision": table.rows[0].cells["precision"], "student": TableCell([""])}
    alike = msgspec.structs.replace(
        table,
        columns=[table.columns[1], make_column("student", title="Student", method="")],
        rows=[msgspec.structs.replace(table.rows[0], cells=cells)],
    )
    text = shown_text(page_of(alike, records, tmp_path))
    assert "Studentin %, offline" in text
    assert "Higher is better." in text
    assert "↑" not in text


def test_a_group_stands_below_its_columns_titles(tmp_path: Path, case: MakeCase) -> None:
    table, records = case({"a": [0.9], "b": [0.8]})
    columns = [
        make_column(n, title=f"DI, {n} images", group=f"{n} images", detail=f"{n} images")
        for n in "ab"
    ]
    table = msgspec.structs.replace(table, columns=columns)
    html = page_of(table, records, tmp_path)
    assert ">DI<small>a images</small></th>" in html
    assert '<th scope="row">DI, a images</th>' in html  # the number table says it in full


def test_tooltips_say_interval_p_value_and_how_many_seeds(tmp_path: Path, case: MakeCase) -> None:
    third = {"ADI": [0.10, 0.12, 0.13]}
    far = {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93]} | third
    tips = Page(page_of(*case(far), tmp_path)).values("data-tip")
    assert all("95 % interval: " in tip for tip in tips)
    assert re.search(
        r"second best, significantly better than all after it \(p .*, Benjamini", tips[0]
    )
    assert re.search(r"\nbest, significantly better than every other \(p .*, Benjamini", tips[1])
    assert "p =" not in tips[2]
    near = {"DI": [0.90, 0.80, 0.85], "NI": [0.86, 0.85, 0.83]}
    tips = Page(page_of(*case(near | third), tmp_path)).values("data-tip")
    tied = "one of the first two; the first is not significantly better than every other (p = "
    assert all(tied in tip for tip in tips[:2])
    assert all("Benjamini-Hochberg" in tip for tip in tips[:2])
    tips = Page(page_of(*case(near), tmp_path)).values("data-tip")
    assert all("one of two: paired t-test against the other, p = " in tip for tip in tips)
    single = {"DI": [0.9], "NI": [0.8], "ADI": [0.1]}
    tips = Page(page_of(*case(single), tmp_path)).values("data-tip")
    assert all("one run: noise not known" in tip for tip in tips)
    assert all("too few seeds for a test" in tip for tip in tips[:2])


def test_methods_can_be_filtered_in_columns_in_rows_and_in_the_number_table(
    tmp_path: Path, case: MakeCase, ablation: MakeCase
) -> None:
    columns, found = case({"T.": [0.9], "DI": [0.8], "NI": [0.9]})
    rows, more = ablation({"NI": {"fid": [76.0]}, "Real": {"fid": [5.0]}})
    more = {f"x{key}": msgspec.structs.replace(r, key=f"x{key}") for key, r in more.items()}
    rows = msgspec.structs.replace(
        rows,
        id="table4",
        rows=[
            msgspec.structs.replace(
                row,
                cells={
                    name: msgspec.structs.replace(cell, records=[f"x{key}" for key in cell.records])
                    for name, cell in row.cells.items()
                },
            )
            for row in rows.rows
        ],
    )
    records = found | more
    reports = [make_table_report(table, records, tmp_path) for table in (columns, rows)]
    page = Page(render_page(reports, records, tmp_path))
    boxes = [attrs["value"] for attrs in page.all("input") if attrs.get("name") == "method"]
    assert boxes == ["DI", "NI"]  # baselines are always shown
    assert [attrs["data-all"] for attrs in page.all("th") if "data-all" in attrs] == ["0", "1"]
    assert [attrs["data-all"] for attrs in page.all("td") if "data-all" in attrs] == ["0", "1"]
    numbers = [attrs for attrs in page.all("tr") if "-n" in attrs.get("id", "")]
    assert [attrs.get("data-all", "") for attrs in numbers] == ["", "0", "1", "1", ""]
    assert [a["data-all"] for a in page.all("tr") if "data-all" in a and "id" not in a] == ["1"]
    cost = {a["data-any"] for a in page.all("tr") if "data-any" in a}
    assert cost == {"", "0", "1"}


def test_a_figure_is_in_the_page_with_its_records_or_the_reason_why_not(
    tmp_path: Path, case: MakeCase
) -> None:
    table, records = case({"DI": [0.8, None], "NI": [None, None]})
    row = msgspec.structs.replace(table.rows[0], x=0.5)
    curve = FigureSpec(type="lines", name="curve", title="Curve", caption="Caption.")
    features = FigureSpec(type="image_grid", title="Images", caption="", classes=["cat"])
    pictures = [Picture("NI", "", "gone", "grid.png", "NI")]
    changes = {"rows": [row], "figures": [curve, features], "pictures": pictures}
    html = page_of(msgspec.structs.replace(table, **changes), records, tmp_path)
    drawn, missing = re.findall(r'<figure class="drawn">.*?</figure>', html, re.DOTALL)
    image = Page(drawn).all("img")[0]
    assert image["alt"] == "Curve: Caption."
    assert image["src"].startswith("data:image/png;base64,")
    assert int(image["width"]) > int(image["height"]) > 100
    numbers = Page(drawn).all("a")[0]["href"].removeprefix("#")
    assert f'<details class="numbers" id="{numbers}">' in html
    assert "table5-demo-digits-curve.svg" in drawn
    assert "not run: NI" in missing
    assert Page(missing).all("img") == []
