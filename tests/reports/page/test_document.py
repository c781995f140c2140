"""The page: one file, every link lands, names cannot run as code, pictures are the records' own."""

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from reports import records as store
from reports.figures.spec import Lines, LineSeries
from reports.page import render_page
from reports.records import Record
from reports.report import render
from reports.table_report import make_sheet
from reports.tables import layout
from reports.tables.layout import View, ViewCell
from tests.reports.makers import make_column

Case = tuple[View, dict[str, Record]]
MakeCase = Callable[..., Case]
MakeRecord = Callable[..., Record]
MakeView = Callable[..., View]


class Page(HTMLParser):
    """What the tests look for in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def rendered(runs: Path) -> str:
    return render(runs, runs.parent / "out").page.read_text()


def page_of(
    view: View,
    records: Mapping[str, Record],
    runs: Path,
    claims: pd.DataFrame | None = None,
) -> str:
    return render_page([make_sheet(view, records, runs)], records, runs, claims)


def test_the_page_needs_nothing_from_outside(runs: Path) -> None:
    html = rendered(runs)
    page = Page(html)
    assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]", html)
    assert page.all("script") == [{}]
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert all(source.startswith("data:image/png;base64,") for source in page.values("src"))
    assert "url(" not in html
    assert "@import" not in html


def test_every_link_lands(runs: Path) -> None:
    page = Page(rendered(runs))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [attrs["href"] for attrs in page.all("a")]
    assert all(target.startswith("#") for target in targets)
    assert {target[1:] for target in targets} <= set(ids)


def test_each_number_leads_to_its_seeds_and_each_seed_to_its_record(runs: Path) -> None:
    html = rendered(runs)
    numbers = [attrs for attrs in Page(html).all("a") if "data-tip" in attrs]
    assert len(numbers) == 2
    for number, method in zip(numbers, ("di", "ni"), strict=True):
        row = html.split(f'<tr id="{number["href"][1:]}"')[1].split("</tr>")[0]
        assert re.findall(r'href="#record-(\w+)"', row) == [f"{method}{s:010d}" for s in range(3)]


def test_a_record_shows_recipe_seed_inputs_cost_versions_device_and_commit(runs: Path) -> None:
    html = rendered(runs)
    shown = html.split('id="record-di0000000000"')[1].split("</details>")[0]
    for text in ("epochs", "#record-aaaaaaaaaaaa", "12.5 s", "300 MB", "torch 2.15.0", "cpu"):
        assert text in shown
    assert "0123456789abcdef" in shown


def test_costs_are_listed_for_inputs_too(runs: Path) -> None:
    costs = rendered(runs).split('id="costs"')[1].split("</section>")[0]
    assert costs.count("<tr data-any") == 7
    assert "7 cells, 1 min 28 s of work" in costs


def test_names_cannot_run_as_code(
    tmp_path: Path, new_view: MakeView, new_record: MakeRecord
) -> None:
    evil = "<script>alert(1)</script>\"'&"
    record = new_record(
        "k",
        label=evil.replace("/", ""),
        recipe={"images": evil, evil: evil},
        metrics={"test_accuracy": 0.5, evil: evil},
        notes=[evil],
    )
    view = new_view(
        {evil: ViewCell(["k"], 1.0, footnote="f")},
        title=evil,
        caption=evil,
        scale=evil,
        dataset=evil,
        published_dataset=evil,
        footnotes={"f": evil},
        pictures=[layout.Picture(evil, evil, "k", "grid.png")],
    )
    html = page_of(view, {"k": record}, tmp_path)
    page = Page(html)
    assert page.all("script") == [{}]
    assert "<script>alert" not in html
    assert evil in page.text
    assert evil in page.values("value")  # the filter of the method
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_only_the_page_s_own_script_and_style_may_run(runs: Path) -> None:
    html = rendered(runs)
    policy = Page(html).all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("script", "style"):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(body) == 1
        digest = base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_tables_are_readable_by_a_screen_reader(runs: Path) -> None:
    html = rendered(runs)
    page = Page(html)
    assert html.count("<caption>") == len(page.all("table")) > 0
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert page.all("html") == [{"lang": "en"}]
    assert "(best)" in page.text
    assert "(second best)" in page.text


def test_not_run_is_said_and_dashed(tmp_path: Path, new_view: MakeView) -> None:
    view = new_view({"DI": ViewCell(["gone"], 83.49, True)})
    page = Page(page_of(view, {}, tmp_path))
    assert "not run" in page.text
    assert "—" in page.text
    assert "83.49*" in page.text
    assert "0.00" not in page.text


def test_the_picture_is_inside_the_page(runs: Path, png: bytes) -> None:
    sources = Page(rendered(runs)).values("src")
    assert sources == ["data:image/png;base64," + base64.b64encode(png).decode()]


@pytest.mark.parametrize("fault", ["missing", "changed", "text", "record"])
def test_a_picture_that_is_not_the_record_s_is_not_shown(runs: Path, fault: str) -> None:
    folder = next(runs.glob("synthesis/*"))
    record = store.read(folder / "record.json")
    picture = folder / "grid.png"
    if fault == "missing":
        picture.unlink()
        reason = "No such file"
    elif fault == "changed":
        store.write(folder, msgspec.structs.replace(record, artefacts={"grid.png": "0" * 64}))
        reason = "is not the file its record names"
    elif fault == "text":
        picture.write_text("<svg onload=alert(1)>")
        reason = "is not a PNG"
    else:
        (folder / "record.json").unlink()
        reason = "not run"
    html = rendered(runs)
    assert reason in html
    assert Page(html).values("src") == []


def test_another_data_set_is_a_warning_on_the_page(tmp_path: Path, new_view: MakeView) -> None:
    cells = {"DI": ViewCell([""], 83.49)}
    assert 'class="warning"' in page_of(new_view(cells), {}, tmp_path)
    same = page_of(new_view(cells, dataset="cifar10"), {}, tmp_path)
    assert 'class="warning"' not in same
    none = page_of(new_view({"DI": ViewCell([""], None)}), {}, tmp_path)
    assert 'class="warning"' not in none
    assert "The paper prints no numbers for this" in none


def test_a_picture_of_two_tables_is_in_the_page_once(
    runs: Path, tmp_path: Path, png: bytes
) -> None:
    path = runs / "views" / "table5-demo-digits.json"
    view = layout.read(path)
    layout.write(
        path.with_name("table2-demo-digits.json"), msgspec.structs.replace(view, table="table2")
    )
    page = Page(rendered(runs))
    assert len(page.values("src")) == 1
    assert page.values("data-same") == [page.all("img")[0]["id"]]
    assert all(attrs["alt"] for attrs in page.all("img"))


def test_tables_come_before_figures_and_both_before_the_rest(
    tmp_path: Path, new_view: MakeView
) -> None:
    cells = {"DI": ViewCell([""], None)}
    sheets = [
        make_sheet(new_view(cells, table=table, title=f"The {table}"), {}, tmp_path)
        for table in ("compare", "figure2", "table1")
    ]
    html = render_page(sheets, {}, tmp_path)
    assert re.findall(r"<h2 [^>]*>(The \w+)<", html) == ["The table1", "The figure2", "The compare"]


def shown_text(html: str) -> str:
    """What stands in the page's main part."""
    return Page(html.split("<main")[1]).text


def test_a_column_shows_title_detail_unit_and_which_way_it_goes(
    tmp_path: Path, ablation: MakeCase
) -> None:
    view, records = ablation({"NI": {"fid": [76.0], "precision": [0.7]}})
    text = shown_text(page_of(view, records, tmp_path))
    assert "↑ higher is better, ↓ lower is better" in text
    assert "FID↓ lower is better" in text
    assert "PRECISION↑ higher is better" in text
    cells = {"precision": view.rows[0].cells["precision"], "student": ViewCell([""], None)}
    alike = msgspec.structs.replace(
        view,
        columns=[view.columns[1], make_column("student", title="Student", method="")],
        rows=[msgspec.structs.replace(view.rows[0], cells=cells)],
    )
    text = shown_text(page_of(alike, records, tmp_path))
    assert "Studentin %, offline" in text
    assert "Higher is better." in text
    assert "↑" not in text


def test_a_group_stands_below_its_columns_titles(tmp_path: Path, case: MakeCase) -> None:
    view, records = case({"a": [0.9], "b": [0.8]})
    columns = [
        make_column(n, title=f"DI, {n} images", group=f"{n} images", detail=f"{n} images")
        for n in "ab"
    ]
    view = msgspec.structs.replace(view, columns=columns)
    html = page_of(view, records, tmp_path)
    assert ">DI<small>a images</small></th>" in html
    assert '<th scope="row">DI, a images</th>' in html  # the number table says it in full


def test_tooltips_say_interval_p_value_and_how_many_seeds(tmp_path: Path, case: MakeCase) -> None:
    far = {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93], "ADI": [0.10, 0.11, 0.12]}
    tips = Page(page_of(*case(far), tmp_path)).values("data-tip")
    assert all("95 % interval: " in tip for tip in tips)
    assert re.search(r"second best, told apart from the best \(p = 0\.\d+\)", tips[0])
    assert re.search(r"\nbest, told apart from the next \(p = 0\.\d+\)", tips[1])
    assert "p =" not in tips[2]
    near = {"DI": [0.90, 0.80, 0.85], "NI": [0.86, 0.85, 0.83]}
    tips = Page(page_of(*case(near), tmp_path)).values("data-tip")
    assert all("the seeds cannot tell apart (p = " in tip for tip in tips)
    tips = Page(page_of(*case({"DI": [0.9], "NI": [0.8]}), tmp_path)).values("data-tip")
    assert all("one run: noise not known" in tip for tip in tips)
    assert all("too few seeds for a test" in tip for tip in tips)


def test_methods_can_be_filtered_in_columns_in_rows_and_in_the_number_table(
    tmp_path: Path, case: MakeCase, ablation: MakeCase
) -> None:
    columns, found = case({"T.": [0.9], "DI": [0.8], "NI": [0.9]})
    rows, more = ablation({"NI": {"fid": [76.0]}, "Real": {"fid": [5.0]}})
    more = {f"x{key}": msgspec.structs.replace(r, key=f"x{key}") for key, r in more.items()}
    rows = msgspec.structs.replace(
        rows,
        table="table4",
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
    sheets = [make_sheet(view, records, tmp_path) for view in (columns, rows)]
    page = Page(render_page(sheets, records, tmp_path))
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
    view, records = case({"DI": [0.8, None], "NI": [None, None]})
    of = {name: [list(cell.records)] for name, cell in view.rows[0].cells.items()}
    figures = [
        Lines(
            f"f-{name}",
            f"Curve of {name}",
            "Caption.",
            "part",
            "accuracy",
            [0.5],
            [LineSeries(name, keys, "test_accuracy")],
        )
        for name, keys in of.items()
    ]
    view = msgspec.structs.replace(view, figures=figures)
    html = page_of(view, records, tmp_path)
    drawn, missing = re.findall(r'<figure class="plate">.*?</figure>', html, re.DOTALL)
    image = Page(drawn).all("img")[0]
    assert image["alt"] == "Curve of DI: Caption."
    assert image["src"].startswith("data:image/png;base64,")
    assert int(image["width"]) > int(image["height"]) > 100
    assert "Made of 1 of 2 records" in drawn
    assert f'href="#record-{next(iter(records))}"' in drawn
    assert "table5-demo-digits-f-DI.svg" in drawn
    assert "not run: NI" in missing
    assert Page(missing).all("img") == []


def claims_frame(**changes: object) -> pd.DataFrame:
    line = {
        **{"id": "t/c/a/b/ni/m", "table": "table5", "dataset": "cifar10", "teacher": "resnet34"},
        **{"student": "vgg11", "method": "ni", "metric": "test_accuracy", "published": 93.72},
        **{"unit": "%", "measured": 90.5, "sd": 0.25, "n": 3, "scale": "demo"},
        **{"measured_on": "digits", "difference": None, "verdict": "not comparable"},
        **{
            "reason": "digits, not cifar10",
            "note": "A <b>note</b>.",
            "records": "000000000000 gone",
        },
    }
    none = {"measured": None, "sd": None, "n": 0, "scale": "", "measured_on": "", "records": ""}
    other = (
        line
        | none
        | {"id": "other", "verdict": "not run", "metric": "fid", "unit": "", "published": 0.5}
    )
    return pd.DataFrame([line | changes, other])


def test_claims_are_a_table_with_verdicts_counted(tmp_path: Path, case: MakeCase) -> None:
    view, records = case({"NI": [0.905]})
    row = view.rows[0]
    cell = msgspec.structs.replace(row.cells["NI"], claim="t/c/a/b/ni/m")
    view = msgspec.structs.replace(view, rows=[msgspec.structs.replace(row, cells={"NI": cell})])
    html = page_of(view, records, tmp_path, claims_frame())
    section = html.split('<section id="claims"')[1].split("</section>")[0]
    page = Page(section)
    assert [a["value"] for a in page.all("input")] == ["not comparable", "not run"]
    assert "not comparable 1" in page.text
    rows = [attrs for attrs in page.all("tr") if "data-verdict" in attrs]
    assert [a["data-dataset"] for a in rows] == ["digits", "cifar10"]
    assert [a.get("data-all") for a in rows] == ["0", None]  # a claim that the page shows as NI's
    assert "93.72" in page.text
    assert "90.50 ± 0.25 n=3" in page.text
    assert "0.5000" in page.text
    assert "A <b>note</b>." in page.text
    assert 'href="#record-000000000000"' in section
    assert "gone" not in section
    assert 'href="#claim-1"' in html  # from the number that was published
    assert 'id="claims"' not in page_of(view, records, tmp_path)


def test_settings_among_the_claims_are_exact(tmp_path: Path, case: MakeCase) -> None:
    images = {
        "method": "protocol",
        "unit": "",
        "sd": None,
        "measured_on": "recipe",
        "difference": 0.0,
    }
    frame = claims_frame(published=256000.0, measured=256000.0, scale="paper", **images)
    text = shown_text(page_of(*case({"NI": [0.9]}), tmp_path, frame))
    assert text.count("256,000") == 2
    assert "256,000." not in text
    assert "+0\n" in text.replace(" ", "")


def test_claims_of_another_make_are_refused(tmp_path: Path, case: MakeCase) -> None:
    with pytest.raises(ValueError, match="no column verdict"):
        page_of(*case({"NI": [0.9]}), tmp_path, claims_frame().drop(columns="verdict"))


def test_reports_load_neither_torch_nor_the_other_packages() -> None:
    code = (
        "import sys, reports.report\n"
        "ours = {'torch', 'naturalinversion', 'baselines', 'benchmarks'}\n"
        "print(*sorted(ours & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
