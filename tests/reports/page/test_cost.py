"""Costs on the page: below their table, filtered with its methods, each leading to its records."""

import re
from pathlib import Path

import msgspec
import pytest

from reports import records as store
from reports.page import render_page
from reports.records import Cost
from reports.report import write_report
from reports.table_report import make_table_report
from reports.tables import table_files
from reports.tables.layout import Row, TableCell
from tests.reports.makers import make_record, make_table

NAME = "table5-demo-digits"


def cost_of(html: str) -> str:
    """The table of costs, its heading and its notes."""
    (section,) = re.findall(
        r"<h3>What it cost</h3>(.*?)<details class=\"numbers\"", html, re.DOTALL
    )
    return str(section)


def cells_of(row: str) -> list[str]:
    return [
        re.sub(r"<.*?>", "", cell).strip()
        for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
    ]


@pytest.fixture
def measured(runs: Path) -> str:
    """The page of two methods by three seeds on one set of images, made on a named CPU."""
    for path in runs.glob("*/*/record.json"):
        record = store.read(path)
        where = msgspec.structs.replace(record.provenance, cpu="AMD EPYC 7763")
        cost = Cost(8.0, 8.0, 64, 512.0) if record.kind == "synthesis" else record.cost
        store.write(path.parent, msgspec.structs.replace(record, provenance=where, cost=cost))
    return write_report(runs, runs.parent / "out").page.read_text()


def test_each_method_has_its_line_with_the_numbers_of_its_records(measured: str) -> None:
    rows = re.findall(r"<tr.*?</tr>", cost_of(measured), re.DOTALL)
    head = [re.sub(r"\s+", " ", text) for text in cells_of(rows[0])]
    assert head == [
        *("Teacher", "Student", "Method", "Seeds", "Imagesnumber"),
        *("Imagesseconds", "Imagesper second", "Imagespeak MB", "Studentseconds"),
        *("Studentpeak MB", "Device", "Records"),
    ]
    _, di, ni = (cells_of(row) for row in rows[1:])
    assert di[2:11] == [
        *("DI", "3", "64", "8.00 ± 0.00", "8.00 ± 0.00", "512", "12.5 ± 0.0", "300"),
        "AMD EPYC 7763, 2 threads",
    ]
    assert ni[2] == "NI"
    assert di[-1].startswith("4 records")


def test_each_cost_leads_to_the_records_it_is_made_of(measured: str) -> None:
    rows = re.findall(r"<tr.*?</tr>", cost_of(measured), re.DOTALL)
    links = re.findall(r'href="#record-(\w+)"', rows[2])
    assert sorted(links) == ["aaaaaaaaaaaa", *(f"di{seed:010d}" for seed in range(3))]
    assert all(f'id="record-{key}"' in measured for key in links)


def test_costs_are_hidden_with_their_method(measured: str) -> None:
    (chips,) = re.findall(r"<legend>Methods</legend>(.*?)</fieldset>", measured, re.DOTALL)
    methods = re.findall(r'value="(\w+)"', chips)
    rows = re.findall(r'<tr data-all="(\d)">', cost_of(measured))
    assert [methods[int(place)] for place in rows] == ["DFAD", "DI", "NI"]


def test_costs_sort_by_what_they_are_not_by_how_they_are_printed(measured: str) -> None:
    row = re.findall(r"<tr.*?</tr>", cost_of(measured), re.DOTALL)[1]
    assert re.findall(r'data-sort="([\d.]+)"', row) == [
        "3",
        "64.0",
        *["8.0"] * 2,
        "512.0",
        "12.5",
        "300.0",
    ]


def test_the_cpu_is_named_in_costs_records_and_provenance(measured: str) -> None:
    costs = measured.split('id="costs"')[1].split("</section>")[0]
    assert costs.count("<td>AMD EPYC 7763, 2 threads</td>") == 10
    provenance = measured.split('id="provenance"')[1].split("</section>")[0]
    assert "cpu (AMD EPYC 7763), fp32, 2 threads" in provenance
    record = measured.split('id="record-di0000000000"')[1].split("</details>")[0]
    assert "cpu (AMD EPYC 7763), fp32, 2 threads; Linux" in record


def test_records_without_the_cpus_name_show_their_platform(runs: Path) -> None:
    html = write_report(runs, runs.parent / "out").page.read_text()
    assert '<td class="device">CPU (Linux), 2 threads</td>' in cost_of(html)
    assert "cpu, fp32, 2 threads; Linux" in html


def test_a_table_of_no_images_has_no_costs(tmp_path: Path) -> None:
    records = {"t": make_record("t")}
    report = make_table_report(make_table({"T.": TableCell(["t"])}), records, tmp_path)
    assert "What it cost" not in render_page([report], records, tmp_path)


def test_a_cost_of_no_method_of_the_page_stays_whatever_is_filtered(runs: Path) -> None:
    """WGAN-GP is a row of a baseline: no filter names it."""
    path = runs / "tables" / f"{NAME}.json"
    table = table_files.read(path)
    wgan = make_record(
        "w", kind="wgan_gp", label="wgan", metrics={"images": 64, "test_accuracy": 0}
    )
    store.write(store.folder_of(runs, wgan), wgan)
    row = Row(
        "w",
        {"Teacher": "none", "Student": "none"},
        {"DI": TableCell(["w", "", ""])},
        role="baseline",
    )
    dfad, di, ni = table.columns
    reference = msgspec.structs.replace(di, method="", role="baseline")
    columns = [dfad, reference, ni]
    table_files.write(
        path, msgspec.structs.replace(table, columns=columns, rows=[*table.rows, row])
    )
    html = cost_of(write_report(runs, runs.parent / "out").page.read_text())
    rows = re.findall(r"<tr( data-all=\"\d\")?>\s*<th scope=\"row\">(.*?)</th>", html)
    assert ("", "none") in rows
