"""The page: one file, every link lands, names cannot run as code."""

import base64
import hashlib
import re
from pathlib import Path

from reports.page import render_page
from reports.table_report import make_table_report
from reports.tables.layout import Picture, TableCell
from tests.reports.makers import DI_CLAIM, make_record, make_table
from tests.reports.page.page_reader import Page, page_of, rendered


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
    assert len(numbers) == 3
    for number, method in zip(numbers, ("dfad", "di", "ni"), strict=True):
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
    assert costs.count("<tr data-any") == 10
    assert "10 runs, 2 min 05 s of computing" in costs


def test_a_cost_is_of_all_machines_that_it_was_made_on(tmp_path: Path) -> None:
    record = make_record("k", machines=["NVIDIA H100, CPU: Xeon", "AMD EPYC, 1 thread"])
    html = page_of(make_table({"di": TableCell(["k"], "di")}), {"k": record}, tmp_path)
    costs = html.split('id="costs"')[1].split("</section>")[0]
    assert "<td>AMD EPYC, 1 thread and NVIDIA H100, CPU: Xeon</td>" in costs


def test_names_cannot_run_as_code(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    record = make_record(
        "k",
        label=evil.replace("/", ""),
        recipe={"images": evil, evil: evil},
        metrics={"test_accuracy": 0.5, evil: evil},
        notes=[evil],
    )
    table = make_table(
        {evil: TableCell(["k"], evil)},
        title=evil,
        caption=evil,
        scale=evil,
        dataset=evil,
        published_dataset=evil,
        pictures=[Picture(evil, evil, "k", "grid.png")],
    )
    html = page_of(table, {"k": record}, tmp_path)
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


def test_not_run_is_said_and_dashed(tmp_path: Path) -> None:
    table = make_table({"DI": TableCell(["gone"], DI_CLAIM)})
    page = Page(page_of(table, {}, tmp_path))
    assert "not run" in page.text
    assert "—" in page.text
    assert "83.49*" in page.text
    assert "0.00" not in page.text


def test_tables_come_before_figures_and_both_before_the_rest(tmp_path: Path) -> None:
    cells = {"DI": TableCell([""])}
    reports = [
        make_table_report(make_table(cells, id=name, title=f"The {name}"), {}, tmp_path)
        for name in ("compare", "figure2", "table1")
    ]
    html = render_page(reports, {}, tmp_path)
    assert re.findall(r"<h2 [^>]*>(The \w+)<", html) == ["The table1", "The figure2", "The compare"]


def test_words_of_the_page_are_explained(runs: Path) -> None:
    text = Page(rendered(runs)).text
    assert "A run is one training, one set of synthetic images or one evaluation" in text
    assert "seeds 0 to 2" in text
