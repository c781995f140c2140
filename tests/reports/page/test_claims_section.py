"""Claims on the page: a table with verdicts, linked with the numbers they are about."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import escape

from reports.claims.ledger import ledger
from reports.published import published
from reports.records import Record
from reports.tables.layout import Table, TableCell
from tests.reports.makers import DI_CLAIM, make_record, make_table
from tests.reports.page.page_reader import Page, page_of, shown_text

Case = tuple[Table, dict[str, Record]]
MakeCase = Callable[..., Case]


def claims_frame(**changes: object) -> pd.DataFrame:
    line = {
        **{"id": DI_CLAIM, "table": "table5", "dataset": "cifar10", "teacher": "resnet34"},
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
    table, records = case({"NI": [0.905]})
    html = page_of(table, records, tmp_path, claims_frame())
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
    assert 'id="claims"' not in page_of(table, records, tmp_path)


def test_a_ledger_in_which_all_was_measured_is_drawn(tmp_path: Path, case: MakeCase) -> None:
    table, records = case({"NI": [0.905]})
    frame = claims_frame()
    html = page_of(table, records, tmp_path, frame[frame["verdict"] != "not run"])
    assert "were not run" not in html.split('<section id="claims"')[1].split("</section>")[0]


def test_settings_among_the_claims_are_exact(tmp_path: Path, case: MakeCase) -> None:
    images = {
        "method": "protocol",
        "unit": "",
        "sd": None,
        "measured_on": "recipe",
        "difference": 0.0,
        "verdict": "set as published",
    }
    frame = claims_frame(published=256000.0, measured=256000.0, scale="paper", **images)
    text = shown_text(page_of(*case({"NI": [0.9]}), tmp_path, frame))
    assert text.count("256,000") == 2
    assert "2 published numbers, 1 of them settings" in text
    assert "set as published 1" in text.replace("\n", " ").replace("  ", " ")
    assert "256,000." not in text
    assert "+0\n" in text.replace(" ", "")


@pytest.mark.parametrize(
    ("measured", "difference", "shown"), [(90.0, -3.72, "-3.72"), (94.0, 0.28, "+0.28")]
)
def test_a_claim_shows_on_which_side_of_the_paper_it_lies(
    measured: float, difference: float, shown: str, tmp_path: Path, case: MakeCase
) -> None:
    frame = claims_frame(measured=measured, difference=difference)
    text = shown_text(page_of(*case({"NI": [0.9]}), tmp_path, frame))
    assert shown in text.split()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("place", "seeds", "title", "shown", "said"),
    [
        ("vgg11", 3, "DI", "30.10", ""),  # the authors' own run
        ("resnet18", 3, "DI (paper's settings)", "40.10", "; measured with di-paper"),
        ("resnet18", 0, "DI", "—", ""),
    ],
)
def test_a_claim_is_called_what_was_measured_of_it(
    place: str, seeds: int, title: str, shown: str, said: str, order: int, tmp_path: Path
) -> None:
    claim = f"table5/cifar10/resnet34/{place}/{{}}/test_accuracy"
    variants = {"DI": "", "DI (paper's settings)": "di-paper"}
    cells = {
        name: TableCell([f"{len(name)}-{s}" for s in range(3)], claim.format("di"), variant=variant)
        for name, variant in list(variants.items())[::order]
    } | {"NI": TableCell(["NI-0", "NI-1", "NI-2"], claim.format("ni"))}
    accuracies = {"DI": 0.3, "DI (paper's settings)": 0.4, "NI": 0.6}
    records = {
        key: make_record(key, accuracies[name] + seed / 1000, inputs={"teacher": "t"})
        for name, cell in cells.items()
        for seed, key in enumerate(cell.records[:seeds])
    }
    table = make_table(cells, scale="small", dataset="cifar10")
    html = page_of(table, records, tmp_path, ledger([table], records, {}))
    value = published()[claim.format("di")].value
    (row,) = (one for one in html.split("<tr ") if f">{value}<" in one and one[:10] == 'id="claim-')
    assert f"<td>{escape(title)}</td>" in row
    assert f">{shown}<" in row
    assert ("measured with" in row) == bool(said)
    assert (f"{said}; all seeds share one teacher." in row) == bool(seeds)
    orders = [one for one in html.split("<tr>") if ">ni over di<" in one]
    assert len(orders) == bool(seeds)
    assert all(f"{said}; all seeds share one teacher<" in one for one in orders)


def test_claims_of_another_make_are_refused(tmp_path: Path, case: MakeCase) -> None:
    with pytest.raises(ValueError, match="no column verdict"):
        page_of(*case({"NI": [0.9]}), tmp_path, claims_frame().drop(columns="verdict"))
