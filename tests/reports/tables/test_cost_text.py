"""The printed costs: units by size, what was not known, and every format with the same numbers."""

import csv
import io
from typing import Any

import msgspec
import pytest

from reports.records import Cost, Provenance, Record
from reports.table_report import TableReport, make_table_report
from reports.tables.cost import costs_of
from reports.tables.cost_columns import cost_columns
from reports.tables.cost_notes import cost_notes
from reports.tables.cost_text import cost_csv, cost_latex, cost_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.method_cost import MethodCost
from tests.reports.makers import make_record, make_table

CPU = Provenance("c", {}, "cpu", "fp32", 1, "Linux x86_64", "now", "AMD EPYC_7763")
GPU = msgspec.structs.replace(CPU, device="cuda:0 (NVIDIA H100 80GB HBM3)", precision="bf16")


def case(seconds: float, peak: float = 300.0, where: Provenance = CPU) -> tuple[Table, Any]:
    """Two seeds of NI, one a tenth slower, a student of a twentieth; T. is the teacher."""
    found: dict[str, Record] = {"t": make_record("t")}
    keys = []
    for seed, took in enumerate((seconds, seconds * 1.1)):
        source, key = f"images{seed}", f"student{seed}"
        found[source] = make_record(
            source,
            kind="synthesis",
            metrics={"images": 1200},
            cost=Cost(took, took, 1200, peak),
            provenance=where,
        )
        found[key] = make_record(
            key,
            inputs={"teacher": "t", "images0": source},
            cost=Cost(took / 20, took / 20, 0, peak * 2),
            provenance=where,
        )
        keys.append(key)
    return make_table({"T.": TableCell(["t", "t"]), "NI": TableCell(keys)}), found


def lines(*arguments: Any) -> list[MethodCost]:
    return costs_of(*case(*arguments))


def printed(found: list[MethodCost]) -> dict[str, str]:
    return {column.head: column.cells[0].text for column in cost_columns(found)}


def test_seconds_and_megabytes_of_a_small_run() -> None:
    assert printed(lines(100.0)) == {
        "Teacher": "ResNet-34",
        "Student": "VGG-11",
        "Method": "NI",
        "Seeds": "2",
        "Images: number": "1,200",
        "Images: seconds": "105 ± 7",
        "Images: per second": "11.5 ± 0.8",
        "Images: peak MB": "300",
        "Student: seconds": "5.25 ± 0.35",
        "Student: peak MB": "600",
        "Device": "AMD EPYC_7763, 1 thread",
    }


def test_gpu_hours_and_gigabytes_of_a_large_one() -> None:
    found = printed(lines(36_000.0, 41_500.0, GPU))
    assert found["Images: GPU-hours"] == "10.5 ± 0.7"
    assert found["Student: GPU-hours"] == "0.525 ± 0.035"
    assert found["Images: peak GB"] == "41.5"
    assert found["Student: peak GB"] == "83.0"
    assert found["Images: per second"] == "0.0318 ± 0.0021"
    assert found["Device"] == "NVIDIA H100 80GB HBM3, bf16, CPU: AMD EPYC_7763"
    assert "Images: hours" in printed(lines(36_000.0)), "a CPU's are no GPU-hours"


def test_numbers_of_a_column_have_one_unit_and_sort_by_it() -> None:
    found = [*lines(10.0), *lines(36_000.0)]
    (hours,) = [c for c in cost_columns(found) if c.head == "Images: hours"]
    assert [cell.text for cell in hours.cells] == ["0.00292 ± 0.00020", "10.5 ± 0.7"]
    assert [cell.value and round(cell.value, 5) for cell in hours.cells] == [0.00292, 10.5]


def test_without_a_student_there_is_no_column_for_one() -> None:
    table, records = case(100.0)
    fidelity = {
        key: msgspec.structs.replace(record, metrics={"test_accuracy": 0.5, "fid": 1.0})
        if key == "t"
        else msgspec.structs.replace(record, metrics={"fid": 1.0})
        if key.startswith("student")
        else record
        for key, record in records.items()
    }
    found = costs_of(table, fidelity)
    assert not [title for title in printed(found) if title.startswith("Student:")]
    assert not [note for note in cost_notes(found) if note.startswith("Student")]


def test_a_joint_student_is_not_said_to_cost_nothing() -> None:
    table, records = case(100.0)
    for key in ("student0", "student1"):
        records[key] = msgspec.structs.replace(records[key], kind="joint_student")
    found = costs_of(table, records)
    assert printed(found)["Student: seconds"] == "joint"
    (said,) = [note for note in cost_notes(found) if note.startswith("Joint: ")]
    assert "trained together with the generator; its cost is included in that of the ima" in said
    (line,) = csv.DictReader(io.StringIO(cost_csv(found)))
    assert (line["student_with_images"], line["student_seconds"]) == ("True", "")


def test_a_control_on_real_images_shows_its_student_and_no_cost_of_images() -> None:
    table, records = case(100.0)
    for key in ("student0", "student1"):
        recipe = records[key].recipe | {"images": {"batches": [], "count": 500}}
        records[key] = msgspec.structs.replace(records[key], recipe=recipe, inputs={"teacher": "t"})
    found = costs_of(table, records)
    row = printed(found)
    assert (row["Images: number"], row["Images: seconds"], row["Images: per second"]) == (
        "real",
        "0",
        "—",
    )
    assert (row["Student: seconds"], row["Student: peak MB"]) == ("5.25 ± 0.35", "600")
    notes = cost_notes(found)
    assert "Real: a control that learned from real images; none were made." in notes
    assert not [note for note in notes if "is missing" in note]
    (line,) = csv.DictReader(io.StringIO(cost_csv(found)))
    assert (float(line["images"]), float(line["images_seconds"])) == (0, 0)


def test_what_is_not_known_is_an_em_dash_and_said() -> None:
    table, records = case(100.0)
    del records["images0"], records["images1"]
    found = costs_of(table, records)
    assert printed(found)["Images: seconds"] == "—"
    assert any("records of cells that made images are missing" in n for n in cost_notes(found))


def test_a_cost_of_fewer_seeds_than_its_line_says_so() -> None:
    table, records = case(100.0, 110.0)
    del records["images0"]
    found = costs_of(table, records)
    row = printed(found)
    assert (row["Seeds"], row["Images: seconds"]) == ("2", "110 [n=1]")
    (line,) = csv.DictReader(io.StringIO(cost_csv(found)))
    assert (line["n"], line["images_n"]) == ("2", "1")
    assert any("fewer seeds in brackets" in note for note in cost_notes(found))


def test_markdown_stands_below_the_table_and_has_a_cell_for_every_head(tmp_path: Any) -> None:
    table, records = case(100.0)
    sheet = make_table_report(table, records, tmp_path)
    table, _, costs = sheet.markdown.partition("\n#### What it cost\n\n")
    assert table.startswith("### Table 5\n")
    rows = [text for text in costs.splitlines() if text.startswith("|")]
    assert len(rows) == 3
    assert len({text.count(" | ") for text in rows}) == 1
    assert "AMD EPYC\\_7763" in costs
    assert "- Means ± sd over seeds: wall time on the device" in costs


def test_csv_is_in_seconds_and_names_the_records(tmp_path: Any) -> None:
    sheet = make_table_report(*case(36_000.0, 41_500.0, GPU), tmp_path)
    text = sheet.files("x")["x-cost.csv"].decode()
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["row"], line["Student"], line["method"], line["n"]) == ("r", "VGG-11", "NI", "2")
    assert (line["images"], float(line["images_seconds"])) == ("1200", 37_800.0)
    assert float(line["student_peak_memory_mb"]) == 83_000.0
    assert line["records"].split() == ["images0", "student0", "images1", "student1"]


def test_latex_is_a_table_of_its_own_with_its_label() -> None:
    table, records = case(100.0)
    latex = cost_latex(table, costs_of(table, records))
    assert latex.count("\\begin{table*}") == latex.count("\\end{table*}") == 1
    assert "\\label{tab:table5-demo-digits-cost}" in latex
    assert "AMD EPYC\\_7763, 1 thread" in latex
    assert "105 $\\pm$ 7" in latex
    (head,) = [text for text in latex.splitlines() if text.startswith("Teacher &")]
    (row,) = [text for text in latex.splitlines() if text.startswith("ResNet-34 &")]
    assert head.count(" & ") == row.count(" & ") == 10


def test_a_view_of_no_images_has_no_table_and_no_file() -> None:
    table = make_table({"T.": TableCell(["t"])})
    sheet = make_table_report(table, {"t": make_record("t")}, None)  # type: ignore[arg-type]
    assert isinstance(sheet, TableReport)
    assert sheet.costs == []
    assert set(sheet.files("x")) == {"x.md", "x.csv", "x.tex"}
    assert cost_markdown([]) == cost_latex(table, []) == ""
    assert "cost" not in sheet.files("x")["x.tex"].decode()


def agreeing(*shares: float | None) -> list[MethodCost]:
    """A line for two seeds, of whose images the teacher gives ``shares`` the asked label."""
    table, records = case(100.0)
    for seed, share in enumerate(shares):
        key = f"images{seed}"
        metrics = {"images": 1200} | ({} if share is None else {"teacher_agreement": share})
        records[key] = msgspec.structs.replace(records[key], metrics=metrics)
    return costs_of(table, records)


def test_how_often_the_teacher_agrees_stands_beside_the_cost_in_every_format() -> None:
    found = agreeing(0.973, 0.991)
    assert printed(found)["Images: teacher agrees, %"] == "98.2 ± 1.3"
    (line,) = csv.DictReader(io.StringIO(cost_csv(found)))
    assert float(line["teacher_agreement_percent"]) == pytest.approx(98.2)
    assert "98.2 ± 1.3" in cost_markdown(found)
    assert "98.2" in cost_latex(case(1.0)[0], found)
    assert not [note for note in cost_notes(found) if note.startswith("WARNING")]
    assert printed(agreeing(None, 0.5))["Images: teacher agrees, %"] == "50.0"
    assert "Images: teacher agrees, %" not in printed(agreeing(None, None))


def test_below_a_half_a_note_warns_and_names_the_method() -> None:
    (note,) = [note for note in cost_notes(agreeing(0.42, 0.31)) if note.startswith("WARNING")]
    assert "another label than the asked one (NI, ResNet-34, VGG-11)" in note
    assert "raise the iterations or steps" in note


def test_no_note_warns_of_a_student_without_labels_or_of_a_control() -> None:
    """CMI and Fast-DFKD train theirs on what the teacher says; noise can't be improved."""
    table, records = case(100.0)
    for seed in (0, 1):
        made, student = records[f"images{seed}"], records[f"student{seed}"]
        low = made.metrics | {"teacher_agreement": 0.1}
        records[made.key] = msgspec.structs.replace(made, metrics=low)
        records[student.key] = msgspec.structs.replace(student, kind="joint_student", recipe={})
    joint = cost_notes(costs_of(table, records))
    assert not [note for note in joint if note.startswith("WARNING")]
    assert [note for note in joint if "learned from the images without their labels" in note]
    table, records = case(100.0)
    for seed in (0, 1):
        made = records[f"images{seed}"]
        changed = {"metrics": made.metrics | {"teacher_agreement": 0.1}, "recipe": {"settings": {}}}
        records[made.key] = msgspec.structs.replace(made, **changed)
    assert not [n for n in cost_notes(costs_of(table, records)) if n.startswith("WARNING")]


def test_units_suit_a_student_that_took_more_than_its_images() -> None:
    table, records = case(100.0)
    for key in ("student0", "student1"):
        large = Cost(36_000.0, 36_000.0, 0, 41_500.0)
        records[key] = msgspec.structs.replace(records[key], cost=large)
    found = printed(costs_of(table, records))
    assert found["Student: hours"] == "10.0 ± 0.0"
    assert found["Student: peak GB"] == "41.5"
    assert found["Images: peak GB"] == "0.3"
