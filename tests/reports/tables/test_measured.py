"""The table: measured beside published, nothing where nothing was run, unlike numbers refused."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pandas as pd
import pytest

from reports.records import Record, RecordError
from reports.tables.export import decimals
from reports.tables.layout import View, ViewCell
from reports.tables.measured import LIKENESS, tidy, to_csv, to_latex, to_markdown
from tests.reports.makers import make_column

MakeCase = Callable[..., tuple[View, dict[str, Record]]]
MakeRecord = Callable[..., Record]
MakeView = Callable[..., View]


def line(frame: pd.DataFrame, column: str) -> Mapping[str, Any]:
    return {str(k): v for k, v in frame[frame["column"] == column].iloc[0].to_dict().items()}


def cells(markdown: str, start: str) -> list[str]:
    """The cells of the first Markdown row that holds ``start``."""
    row = next(text for text in markdown.splitlines() if text.startswith("|") and start in text)
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_long_form_holds_mean_sd_n_interval_and_keys(case: MakeCase) -> None:
    view, records = case({"DI": [0.80, 0.82, 0.84]})
    found = line(tidy(view, records), "DI")
    assert found["Teacher"] == "ResNet-34"
    assert found["mean"] == pytest.approx(82.0)
    assert found["sd"] == pytest.approx(2.0)
    assert found["n"] == found["planned"] == 3
    half = 4.302653 * 2 / 3**0.5  # Student's t of two degrees of freedom
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((82 - half, 82 + half))
    assert found["published"] == 83.49
    assert found["records"] == tuple(records)


def test_difference_only_on_the_published_data(case: MakeCase) -> None:
    view, records = case({"DI": [0.80]})
    assert pd.isna(line(tidy(view, records), "DI")["difference"])
    view, records = case({"DI": [0.80]}, dataset="cifar10")
    assert line(tidy(view, records), "DI")["difference"] == pytest.approx(80 - 83.49)


def test_not_run_is_an_em_dash_and_never_zero(case: MakeCase) -> None:
    view, records = case({"DI": [None], "NI": [0.9]})
    frame = tidy(view, records)
    assert line(frame, "DI")["n"] == 0
    assert pd.isna(line(frame, "DI")["mean"])
    assert cells(to_markdown(view, frame), "measured")[-2:] == ["—", "90.00"]
    assert "& --- & 90.00" in to_latex(view, frame)
    assert pd.isna(pd.read_csv(io.StringIO(to_csv(frame)))["mean"][0])


def test_a_cell_that_the_row_does_not_have_is_an_em_dash_twice(case: MakeCase) -> None:
    view, records = case({"DI": [0.8]})
    view = msgspec.structs.replace(view, columns=[*view.columns, make_column("x")])
    markdown = to_markdown(view, tidy(view, records))
    assert cells(markdown, "measured")[-1] == "—"
    assert cells(markdown, "published")[-1] == "—"


def test_measured_above_published_with_its_asterisk_and_footnote(
    new_view: MakeView, new_record: MakeRecord
) -> None:
    view = new_view(
        {"DI": ViewCell(["k"], 83.49, True, "why"), "NI": ViewCell([""], 89.41)},
        footnotes={"why": "Not reproduced by others."},
    )
    markdown = to_markdown(view, tidy(view, {"k": new_record("k", 0.8412)}))
    assert cells(markdown, "measured")[-2:] == ["84.12", "—"]
    assert cells(markdown, "published")[-2:] == ["83.49* [a]", "89.41"]
    assert "re-implemented by the paper's authors" in markdown
    assert "[a] Not reproduced by others." in markdown


def test_fewer_seeds_than_planned_say_so(case: MakeCase) -> None:
    view, records = case({"DI": [0.8, 0.9, None], "NI": [0.8, 0.9, 0.7]})
    markdown = to_markdown(view, tidy(view, records))
    assert cells(markdown, "measured")[-2].strip("_") == "85.00 ± 7.07 [n=2]"
    assert "n = 2 to 3 (planned seeds: 0, 1, 2)" in markdown


def test_one_record_for_all_seeds_counts_once(new_view: MakeView, new_record: MakeRecord) -> None:
    view = new_view({"T.": ViewCell(["k", "k", "k"], None)})
    found = line(tidy(view, {"k": new_record("k", 0.9)}), "T.")
    assert (found["n"], found["planned"], found["records"]) == (1, 1, ("k",))
    assert pd.isna(found["sd"])


def test_best_is_bold_and_second_is_underlined(case: MakeCase) -> None:
    accuracies = {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93], "ADI": [0.50, 0.51, 0.52]}
    view, records = case(accuracies)
    frame = tidy(view, records)
    assert cells(to_markdown(view, frame), "measured")[-3:] == [
        "_81.00 ± 1.00_",
        "**91.33 ± 1.53**",
        "51.00 ± 1.00",
    ]
    latex = to_latex(view, frame)
    assert r"\textbf{91.33 $\pm$ 1.53}" in latex
    assert r"\underline{81.00 $\pm$ 1.00}" in latex


def by_place(frame: pd.DataFrame, name: str) -> dict[tuple[str, str], Any]:
    """One column of the long form by row and column of the table."""
    return dict(zip(zip(frame["row"], frame["column"], strict=True), frame[name], strict=True))


def test_baseline_columns_do_not_compete(case: MakeCase) -> None:
    seeds = [0.00, 0.01, 0.02]
    view, records = case({n: [s + a for s in seeds] for n, a in (("T.", 0.9), ("DI", 0.5))})
    assert list(tidy(view, records)["mark"]) == ["", ""]
    view, records = case(
        {n: [s + a for s in seeds] for n, a in (("T.", 0.9), ("DI", 0.5), ("NI", 0.6))}
    )
    assert list(tidy(view, records)["mark"]) == ["", "second", "best"]


def test_nothing_is_bold_inside_the_noise(case: MakeCase) -> None:
    view, records = case({"DI": [0.90, 0.80, 0.85], "NI": [0.86, 0.85, 0.83]})
    markdown = to_markdown(view, tidy(view, records))
    assert "**" not in markdown
    assert "inside the noise" in markdown


@pytest.mark.parametrize("seeds", [1, 2])
def test_nothing_is_bold_where_no_test_is_possible(case: MakeCase, seeds: int) -> None:
    view, records = case({"DI": [0.1] * seeds, "NI": [0.9] * seeds, "ADI": [0.5] * seeds})
    frame = tidy(view, records)
    assert list(frame["mark"]) == ["", "tied", "tied"]
    assert frame["p_value"].isna().all()
    assert "**" not in to_markdown(view, frame)
    assert r"\textbf" not in to_latex(view, frame)


def test_columns_compete_down_the_rows_each_its_own_way(ablation: MakeCase) -> None:
    view, records = ablation(
        {
            "DI": {"fid": [120.0, 121.0, 119.0], "precision": [0.60, 0.61, 0.62]},
            "NI": {"fid": [76.0, 76.5, 75.0], "precision": [0.67, 0.66, 0.69]},
            "ADI": {"fid": [90.0, 91.0, 92.0], "precision": [0.40, 0.41, 0.42]},
        }
    )
    frame = tidy(view, records)
    assert by_place(frame, "mark") == {
        ("di", "fid"): "",
        ("ni", "fid"): "best",
        ("adi", "fid"): "second",
        ("di", "precision"): "second",
        ("ni", "precision"): "best",
        ("adi", "precision"): "",
    }
    markdown = to_markdown(view, frame)
    assert "corrected over the columns" in markdown
    assert "FID: lower is better" in markdown
    assert "PRECISION: higher is better" in markdown


def test_baseline_rows_do_not_compete(ablation: MakeCase) -> None:
    view, records = ablation(
        {
            "DI": {"fid": [120.0, 121.0, 119.0]},
            "NI": {"fid": [76.0, 76.5, 75.0]},
            "Real": {"fid": [5.0, 5.1, 5.2]},
        }
    )
    marks = by_place(tidy(view, records), "mark")
    assert marks == {("di", "fid"): "second", ("ni", "fid"): "best", ("real", "fid"): ""}


def test_groups_of_a_row_compete_among_themselves(case: MakeCase) -> None:
    seeds = [0.00, 0.01, 0.03]
    view, records = case(
        {n: [a + s for s in seeds] for n, a in (("a", 0.9), ("b", 0.8), ("c", 0.3), ("d", 0.4))}
    )
    groups = {
        "a": "training images",
        "b": "training images",
        "c": "test images",
        "d": "test images",
    }
    columns = [make_column(n, title=f"{n}, {g}", group=g, detail=g) for n, g in groups.items()]
    view = msgspec.structs.replace(view, columns=columns)
    frame = tidy(view, records)
    assert list(frame["mark"]) == ["best", "second", "second", "best"]
    markdown = to_markdown(view, frame)
    assert "| a, training images |" in markdown  # the group is in the title, not once more below it


def test_unlike_metrics_of_a_row_do_not_compete(case: MakeCase) -> None:
    view, records = case({"DI": [0.1], "NI": [0.9]})
    columns = [make_column("DI"), make_column("NI", metric="loss", higher_is_better=False)]
    view = msgspec.structs.replace(view, columns=columns)
    key = view.rows[0].cells["NI"].records[0]
    records[key] = msgspec.structs.replace(records[key], metrics={"loss": 0.2})
    assert list(tidy(view, records)["mark"]) == ["", ""]


def test_the_p_value_of_the_first_two_is_in_the_csv(case: MakeCase) -> None:
    view, records = case(
        {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93], "ADI": [0.50, 0.51, 0.52]}
    )
    frame = pd.read_csv(io.StringIO(to_csv(tidy(view, records))))
    first, second, third = frame["p_value"]
    assert first == second < 0.05
    assert pd.isna(third)


def test_decimals_are_those_of_the_column(ablation: MakeCase) -> None:
    view, records = ablation(
        {"NI": {"fid": [76.04], "precision": [0.6797], "kid": [0.001234], "loss": [0.0]}}
    )
    frame = tidy(view, records)
    assert {name: of.measured for name, of in decimals(frame).items()} == {
        **{"fid": 2, "precision": 4, "kid": 6, "loss": 2},
    }
    assert cells(to_markdown(view, frame), "measured")[2:] == [
        *("76.04", "0.6797", "0.001234", "0.00"),
    ]
    assert "76.04 & 0.6797 & 0.001234" in to_latex(view, frame)


def test_published_numbers_stand_as_printed_whatever_was_measured(ablation: MakeCase) -> None:
    numbers = {"DI": {"is": [1.23], "fid": [9.3074]}, "NI": {"is": [1.25], "fid": [0.0]}}
    view, records = ablation(numbers)
    printed = {"DI": {"is": 4.0, "fid": 0.6892}, "NI": {"is": 67.0, "fid": 0.7}}
    rows = [
        msgspec.structs.replace(
            row,
            cells={
                name: msgspec.structs.replace(cell, published=printed[row.labels["Method"]][name])
                for name, cell in row.cells.items()
            },
        )
        for row in view.rows
    ]
    view = msgspec.structs.replace(view, rows=rows)
    lines = to_markdown(view, tidy(view, records)).splitlines()
    found = [
        line.split("|")[3:-1] for line in lines if "measured, " in line or "published, " in line
    ]
    assert [[cell.strip(" _") for cell in line] for line in found] == [
        ["1.2300", "9.31"],
        ["4.00", "0.6892"],
        ["1.2500", "0.00"],
        ["67.00", "0.7000"],
    ]


def test_a_view_without_methods_does_not_say_which_way_is_better(case: MakeCase) -> None:
    view, records = case({"DI": [0.8], "NI": [0.9]})
    columns = [make_column(name, role="baseline") for name in ("DI", "NI")]
    view = msgspec.structs.replace(view, columns=columns)
    markdown = to_markdown(view, tidy(view, records))
    assert "is better" not in markdown
    assert "Measured on digits at scale demo: test accuracy in %; single runs" in markdown


def test_a_cell_may_have_a_metric_of_its_own(case: MakeCase, new_record: MakeRecord) -> None:
    view, records = case({"DI": [0.5], "NI": [0.6]})
    view = msgspec.structs.replace(
        view, columns=[make_column(n, metric="mixing_{method}") for n in ("DI", "NI")]
    )
    named = {
        n: msgspec.structs.replace(c, metric=f"mixing_{n}") for n, c in view.rows[0].cells.items()
    }
    view = msgspec.structs.replace(view, rows=[msgspec.structs.replace(view.rows[0], cells=named)])
    for cell in named.values():
        records[cell.records[0]] = new_record(cell.records[0], metrics={cell.metric: 0.25})
    frame = tidy(view, records)
    assert list(frame["mean"]) == [25.0, 25.0]
    assert list(frame["metric"]) == ["mixing_DI", "mixing_NI"]
    assert list(frame["mark"]) == ["tied", "tied"]  # one column's metric, whatever the cells say
    assert "mixing in %: higher is better" in to_markdown(view, frame)


@pytest.mark.parametrize(
    ("seeds", "said"), [(1, "With n = 1 no test can tell"), (2, "With n = 2 no test can tell")]
)
def test_the_caption_says_what_few_seeds_cannot(case: MakeCase, seeds: int, said: str) -> None:
    view, records = case({"DI": [0.8] * seeds, "NI": [0.9] * seeds})
    for text in (
        to_markdown(view, tidy(view, records)),
        to_latex(view, tidy(view, records)),
    ):
        assert said in text
        assert f"n = {seeds}" in text


def test_the_caption_says_when_the_data_set_is_another(case: MakeCase) -> None:
    view, records = case({"DI": [0.8]})
    frame = tidy(view, records)
    for text in (to_markdown(view, frame), to_latex(view, frame)):
        assert "Published numbers are for CIFAR-10, not for digits" in text
        assert "measured, digits" in text
        assert "published, CIFAR-10" in text
        assert "scale demo" in text
    view, records = case({"DI": [0.8]}, dataset="cifar10")
    assert "orientation" not in to_markdown(view, tidy(view, records))


def test_protocols_are_in_the_head_and_in_the_caption(new_view: MakeView) -> None:
    view = new_view({"DAFL": ViewCell([""], 92.22), "DI": ViewCell([""], 91.43)})
    columns = [make_column("DAFL", detail="joint"), make_column("DI", note="assumed: rate")]
    view = msgspec.structs.replace(view, columns=columns)
    markdown = to_markdown(view, tidy(view, {}))
    assert "DAFL (joint)" in markdown
    assert "DI (offline)" in markdown
    assert "- DI: assumed: rate." in markdown
    assert "Best and second are taken over both protocols" in markdown


def test_a_table_that_the_paper_has_no_numbers_for_has_no_line_for_them(case: MakeCase) -> None:
    view, records = case({"DI": [0.8]})
    row = msgspec.structs.replace(view.rows[0], cells={"DI": ViewCell(list(records), None)})
    view = msgspec.structs.replace(view, rows=[row])
    for text in (to_markdown(view, tidy(view, records)), to_latex(view, tidy(view, records))):
        assert "The paper prints no numbers for this" in text
        assert "published, CIFAR-10" not in text


@pytest.mark.parametrize("name", [name for name in LIKENESS if name != "--precision"])
@pytest.mark.parametrize("place", ["recipe", "metrics"])
def test_unlike_numbers_never_share_a_column(
    case: MakeCase, new_record: MakeRecord, name: str, place: str
) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    first, last = records
    for key, value in ((first, "one"), (last, "other")):
        stated = {"metrics": {"test_accuracy": 0.9}, "recipe": {}}
        stated[place] = {**stated[place], name: value}
        records[key] = new_record(key, **stated)
    with pytest.raises(RecordError, match="unlike numbers in column DI") as caught:
        tidy(view, records)
    assert f"{name} is one in student-{first}-{first} but other in" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_one_states_and_the_other_does_not_is_unlike(
    case: MakeCase, new_record: MakeRecord
) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    last = list(records)[-1]
    records[last] = new_record(last, 0.9, recipe={})
    with pytest.raises(RecordError, match=r"synthetic_images is 64 in .* but not stated in"):
        tidy(view, records)


def test_columns_may_differ_in_what_a_column_may_not(
    case: MakeCase, new_record: MakeRecord
) -> None:
    view, records = case({"DI": [0.8], "NI": [0.9]})
    last = list(records)[-1]
    records[last] = new_record(last, 0.9, recipe={"synthetic_images": 128})
    assert len(tidy(view, records)) == 2


def test_what_an_input_says_counts_as_the_record_s(case: MakeCase, new_record: MakeRecord) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    for key, pixels in zip(list(records), ("minmax", "denormalize"), strict=True):
        records[f"s{key}"] = new_record(f"s{key}", metrics={"pixels": pixels}, recipe={})
        records[key] = new_record(key, recipe={}, inputs={"images": f"s{key}"})
    with pytest.raises(RecordError, match=r"pixels is minmax in .* but denormalize in"):
        tidy(view, records)


def test_a_record_without_the_metric_names_what_it_has(
    case: MakeCase, new_record: MakeRecord
) -> None:
    view, records = case({"DI": [0.8]})
    key = next(iter(records))
    records[key] = new_record(key, metrics={"loss": 1.0})
    with pytest.raises(RecordError, match="no number 'test_accuracy'; it has loss"):
        tidy(view, records)


def test_latex_is_balanced_and_booktabs(case: MakeCase) -> None:
    view, records = case({"DI": [0.8, 0.9], "NI": [0.9, None]}, title="50% & $x_i$ {a}")
    latex = to_latex(view, tidy(view, records))
    opened, closed = (re.findall(rf"\\{word}{{([^}}]+)}}", latex) for word in ("begin", "end"))
    assert opened == ["table*", "tabular"]
    assert closed == opened[::-1]
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")
    assert [r for r in ("top", "mid", "bottom") if rf"\{r}rule" not in latex] == []
    assert r"50\% \& \$x\_i\$ \{a\}" in latex
    assert r"\label{tab:table5-demo-digits}" in latex
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert {row.count("&") for row in body} == {4}
    assert all(row.endswith(r"\\") for row in body)


def test_markdown_rows_have_as_many_cells_as_the_head(case: MakeCase) -> None:
    view, records = case({"a|b": [0.8], "<b>": [0.9]})
    table = [t for t in to_markdown(view, tidy(view, records)).splitlines() if t.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) == 1
    assert len({len(row) for row in table}) == 1
    assert "\\<b>" in table[0]


def test_csv_is_the_long_form(case: MakeCase) -> None:
    view, records = case({"DI": [0.8, 0.9], "NI": [0.9, None]})
    frame = pd.read_csv(io.StringIO(to_csv(tidy(view, records))))
    assert list(frame["column"]) == ["DI", "NI"]
    assert frame["records"][0].split() == list(records)[:2]
    assert frame["mean"][0] == pytest.approx(85.0)
    assert frame["n"].tolist() == [2, 1]


def test_narrow_numbers_and_wide_ones_never_share_a_column(case: MakeCase) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    last = list(records)[-1]
    narrow = msgspec.structs.replace(records[last].provenance, precision="bf16")
    records[last] = msgspec.structs.replace(records[last], provenance=narrow)
    with pytest.raises(RecordError, match=r"--precision is fp32 in .* but bf16 in"):
        tidy(view, records)
