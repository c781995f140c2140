"""The table: measured beside published, nothing where nothing was run, unlike numbers refused."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pandas as pd
import pytest

from reports.records import Record, RecordError
from reports.tables import tidy, to_csv, to_latex, to_markdown
from reports.views import Column, View, ViewCell

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
    assert 80 <= found["ci_low"] < 82 < found["ci_high"] <= 84
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
    view = msgspec.structs.replace(view, columns=[*view.columns, Column("x", "X", "method", "")])
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


def test_baselines_do_not_compete(case: MakeCase) -> None:
    view, records = case({"T.": [0.99], "DI": [0.8], "NI": [0.9]})
    frame = tidy(view, records)
    assert list(frame["mark"]) == ["", "second", "best"]


def test_nothing_is_bold_inside_the_noise(case: MakeCase) -> None:
    view, records = case({"DI": [0.90, 0.80, 0.85], "NI": [0.86, 0.85, 0.83]})
    markdown = to_markdown(view, tidy(view, records))
    assert "**" not in markdown
    assert "inside the noise" in markdown


def test_lower_is_better_where_the_view_says_so(case: MakeCase) -> None:
    view, records = case({"DI": [0.8], "NI": [0.9]}, higher_is_better=False)
    assert list(tidy(view, records)["mark"]) == ["best", "second"]


@pytest.mark.parametrize(("seeds", "said"), [(1, "no noise is known"), (2, "no test can tell")])
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
    columns = [Column("DAFL", "DAFL", "method", "joint"), Column("DI", "DI", "method", "offline")]
    view = msgspec.structs.replace(view, columns=columns)
    markdown = to_markdown(view, tidy(view, {}))
    assert "DAFL (joint)" in markdown
    assert "Protocol offline: DI." in markdown
    assert "Best and second are taken over both protocols" in markdown


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"images": 128}},
        {"recipe": {"images": 64, "scale": "paper"}},
        {"recipe": {}},
        {"metrics": {"test_accuracy": 0.9, "images": 128}},
        {"metrics": {"test_accuracy": 0.9, "extractor": "inception"}},
    ],
)
def test_unlike_numbers_never_share_a_column(
    case: MakeCase, new_record: MakeRecord, changes: dict[str, Any]
) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    last = list(records)[-1]
    records[last] = new_record(last, 0.9, **changes)
    with pytest.raises(RecordError, match="unlike numbers in column DI") as caught:
        tidy(view, records)
    assert "\n" not in str(caught.value)
    assert last in str(caught.value)


def test_what_an_input_says_counts_as_the_record_s(case: MakeCase, new_record: MakeRecord) -> None:
    view, records = case({"DI": [0.8, 0.8]})
    for key, images in zip(list(records), (64, 128), strict=True):
        records[f"s{key}"] = new_record(f"s{key}", metrics={"images": images}, recipe={})
        records[key] = new_record(key, recipe={}, inputs={"images": f"s{key}"})
    with pytest.raises(RecordError, match=r"images is 64 in .* but 128 in"):
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
