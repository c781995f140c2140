"""The long form: measured beside published, ranks, unlike numbers refused."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pandas as pd
import pytest

from reports.records import Record, RecordError
from reports.tables.export import to_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.measured import MUST_MATCH, measured_frame
from tests.reports.makers import make_column, make_record, make_table

MakeCase = Callable[..., tuple[Table, dict[str, Record]]]


def line(frame: pd.DataFrame, column: str) -> Mapping[str, Any]:
    return {str(k): v for k, v in frame[frame["column"] == column].iloc[0].to_dict().items()}


def by_place(frame: pd.DataFrame, name: str) -> dict[tuple[str, str], Any]:
    """One column of the long form by row and column of the table."""
    return dict(zip(zip(frame["row"], frame["column"], strict=True), frame[name], strict=True))


def test_long_form_holds_mean_sd_n_interval_and_keys(case: MakeCase) -> None:
    table, records = case({"DI": [0.80, 0.82, 0.84]})
    found = line(measured_frame(table, records), "DI")
    assert found["Teacher"] == "ResNet-34"
    assert found["mean"] == pytest.approx(82.0)
    assert found["sd"] == pytest.approx(2.0)
    assert found["n"] == found["planned"] == 3
    half = 4.302653 * 2 / 3**0.5  # Student's t of two degrees of freedom
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((82 - half, 82 + half))
    assert found["published"] == 83.49
    assert found["records"] == tuple(records)


def test_difference_only_on_the_published_data(case: MakeCase) -> None:
    table, records = case({"DI": [0.80]})
    assert pd.isna(line(measured_frame(table, records), "DI")["difference"])
    table, records = case({"DI": [0.80]}, dataset="cifar10")
    assert line(measured_frame(table, records), "DI")["difference"] == pytest.approx(80 - 83.49)


def test_a_claim_that_the_paper_does_not_make_is_no_number() -> None:
    table = make_table({"DI": TableCell(["k"], "table5/cifar10/-/-/di/kid")})
    frame = measured_frame(table, {"k": make_record("k", 0.8412)})
    assert (list(frame["claim"]), list(frame["published"])) == ([""], [None])
    assert "The paper has no numbers for these rows" in to_markdown(table, frame)


def images_of_two_cells() -> dict[str, Record]:
    """A student of ten images and of thirty, which agree with the teacher in 80 % and 90 %."""
    cells = {
        name: make_record(
            name,
            kind="synthesis",
            metrics={"images": images, "teacher_agreement": agreement},
        )
        for name, images, agreement in (("a", 10, 0.8), ("b", 30, 0.9))
    }
    return {"s": make_record("s", 0.5, inputs={"images0": "a", "images1": "b"})} | cells


def agreement_of(records: Mapping[str, Record]) -> Mapping[str, Any]:
    columns = [make_column("NI", metric="teacher_agreement", of_images=True)]
    table = make_table({"NI": TableCell(["s"])}, columns=columns)
    return line(measured_frame(table, records), "NI")


def test_a_number_of_images_is_of_all_cells_that_made_them() -> None:
    assert agreement_of(images_of_two_cells())["mean"] == pytest.approx(87.5)


def test_a_cell_that_was_read_in_part_counts_by_what_was_read() -> None:
    """A student of the first batch of thirty, and of ten images that are no whole batch."""
    records = images_of_two_cells()
    recipe = {"images": {"batches": [1, 1], "count": 20}}
    records["s"] = msgspec.structs.replace(records["s"], recipe=recipe)
    for key in "ab":
        records[key] = msgspec.structs.replace(records[key], recipe={"batch_size": 20})
    assert agreement_of(records)["mean"] == pytest.approx((10 * 80 + 20 * 90) / 30)
    records["a"] = msgspec.structs.replace(records["a"], inputs={"images0": "c"})
    records["c"] = make_record(
        "c", kind="synthesis", metrics={"images": 30, "teacher_agreement": 1}
    )
    assert agreement_of(records)["mean"] == pytest.approx((10 * 80 + 20 * 90 + 30 * 100) / 60)


def test_a_number_of_images_whose_records_are_gone_is_no_number_of_the_others() -> None:
    records = images_of_two_cells()
    del records["b"]
    with pytest.raises(RecordError, match="student-s-s was made from b, which has no record"):
        agreement_of(records)


def test_a_number_that_images_have_not_is_said() -> None:
    records = images_of_two_cells()
    records["a"] = msgspec.structs.replace(records["a"], metrics={"images": 10})
    with pytest.raises(RecordError, match="no number 'teacher_agreement'"):
        agreement_of(records)


def test_one_record_for_all_seeds_counts_once() -> None:
    table = make_table({"T.": TableCell(["k", "k", "k"])})
    found = line(measured_frame(table, {"k": make_record("k", 0.9)}), "T.")
    assert (found["n"], found["planned"], found["records"]) == (1, 1, ("k",))
    assert pd.isna(found["sd"])


def test_baseline_columns_do_not_compete(case: MakeCase) -> None:
    seeds = [0.00, 0.01, 0.02]
    table, records = case({n: [a + a * s for s in seeds] for n, a in (("T.", 0.9), ("DI", 0.5))})
    assert list(measured_frame(table, records)["mark"]) == ["", ""]
    table, records = case(
        {n: [a + a * s for s in seeds] for n, a in (("T.", 0.9), ("DI", 0.5), ("NI", 0.6))}
    )
    frame = measured_frame(table, records)
    assert list(frame["mark"]) == ["", "", "best"]  # of two there is no second best
    assert "in italics" not in to_markdown(table, frame)


def test_columns_compete_down_the_rows_each_its_own_way(ablation: MakeCase) -> None:
    table, records = ablation(
        {
            "DI": {"fid": [120.0, 121.0, 119.0], "precision": [0.60, 0.61, 0.62]},
            "NI": {"fid": [76.0, 76.5, 75.0], "precision": [0.67, 0.66, 0.69]},
            "ADI": {"fid": [90.0, 91.0, 92.0], "precision": [0.40, 0.41, 0.43]},
        }
    )
    frame = measured_frame(table, records)
    assert by_place(frame, "mark") == {
        ("di", "fid"): "",
        ("ni", "fid"): "best",
        ("adi", "fid"): "second",
        ("di", "precision"): "second",
        ("ni", "precision"): "best",
        ("adi", "precision"): "",
    }
    markdown = to_markdown(table, frame)
    assert "Benjamini-Hochberg over the columns" in markdown
    assert "FID: lower is better" in markdown
    assert "PRECISION: higher is better" in markdown


def test_baseline_rows_do_not_compete(ablation: MakeCase) -> None:
    table, records = ablation(
        {
            "DI": {"fid": [120.0, 121.0, 119.0]},
            "NI": {"fid": [76.0, 76.5, 75.0]},
            "Real": {"fid": [5.0, 5.1, 5.2]},
        }
    )
    marks = by_place(measured_frame(table, records), "mark")
    assert marks == {("di", "fid"): "", ("ni", "fid"): "best", ("real", "fid"): ""}


def test_groups_of_a_row_compete_among_themselves(case: MakeCase) -> None:
    seeds = [0.00, 0.01, 0.03]
    table, records = case(
        {n: [a + a * s for s in seeds] for n, a in (("a", 0.9), ("b", 0.8), ("c", 0.3), ("d", 0.4))}
    )
    groups = {
        "a": "training images",
        "b": "training images",
        "c": "test images",
        "d": "test images",
    }
    columns = [make_column(n, title=f"{n}, {g}", group=g, detail=g) for n, g in groups.items()]
    table = msgspec.structs.replace(table, columns=columns)
    frame = measured_frame(table, records)
    assert list(frame["mark"]) == ["best", "", "", "best"]
    markdown = to_markdown(table, frame)
    assert "| a, training images |" in markdown  # the group is in the title, not once more below it


def test_unlike_metrics_of_a_row_do_not_compete(case: MakeCase) -> None:
    table, records = case({"DI": [0.1], "NI": [0.9]})
    columns = [make_column("DI"), make_column("NI", metric="loss", higher_is_better=False)]
    table = msgspec.structs.replace(table, columns=columns)
    key = table.rows[0].cells["NI"].records[0]
    records[key] = msgspec.structs.replace(records[key], metrics={"loss": 0.2})
    assert list(measured_frame(table, records)["mark"]) == ["", ""]


def test_a_cell_may_have_a_metric_of_its_own(case: MakeCase) -> None:
    table, records = case({"DI": [0.5], "NI": [0.6], "ADI": [0.7]})
    columns = [make_column(n, metric="mixing_{method}") for n in ("DI", "NI", "ADI")]
    table = msgspec.structs.replace(table, columns=columns)
    named = {
        n: msgspec.structs.replace(c, metric=f"mixing_{n}") for n, c in table.rows[0].cells.items()
    }
    table = msgspec.structs.replace(
        table, rows=[msgspec.structs.replace(table.rows[0], cells=named)]
    )
    for number, cell in enumerate(named.values()):
        value = 0.25 + number / 100
        records[cell.records[0]] = make_record(cell.records[0], metrics={cell.metric: value})
    frame = measured_frame(table, records)
    assert list(frame["mean"]) == [25.0, 26.0, 27.0]
    assert list(frame["metric"]) == ["mixing_DI", "mixing_NI", "mixing_ADI"]
    assert list(frame["mark"]) == ["", "tied", "tied"]  # ranked by the column's metric
    assert "mixing in %: higher is better" in to_markdown(table, frame)


@pytest.mark.parametrize("name", [name for name in MUST_MATCH if name != "--precision"])
@pytest.mark.parametrize("place", ["recipe", "metrics"])
def test_unlike_numbers_never_share_a_column(case: MakeCase, name: str, place: str) -> None:
    table, records = case({"DI": [0.8, 0.8]})
    first, last = records
    for key, value in ((first, "one"), (last, "other")):
        stated = {"metrics": {"test_accuracy": 0.9}, "recipe": {}}
        stated[place] = {**stated[place], name: value}
        records[key] = make_record(key, **stated)
    with pytest.raises(RecordError, match="unlike numbers in column DI") as caught:
        measured_frame(table, records)
    assert f"{name} is one in student-{first}-{first} but other in" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_narrow_numbers_and_wide_ones_never_share_a_column(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.8]})
    last = list(records)[-1]
    narrow = msgspec.structs.replace(records[last].provenance, precision="bf16")
    records[last] = msgspec.structs.replace(records[last], provenance=narrow)
    with pytest.raises(RecordError, match=r"--precision is fp32 in .* but bf16 in"):
        measured_frame(table, records)


def test_ready_classifiers_are_tested_alike_in_every_precision(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.9, 0.7]})
    for key, precision in zip(list(records)[:2], ("bf16", "tf32"), strict=True):
        where = msgspec.structs.replace(records[key].provenance, precision=precision)
        records[key] = msgspec.structs.replace(records[key], kind="pretrained", provenance=where)
    assert list(measured_frame(table, records)["n"]) == [3]


def test_what_one_states_and_the_other_does_not_is_unlike(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.8]})
    last = list(records)[-1]
    records[last] = make_record(last, 0.9, recipe={})
    with pytest.raises(RecordError, match=r"synthetic_images is 64 in .* but not stated in"):
        measured_frame(table, records)


def test_columns_may_differ_in_what_a_column_may_not(case: MakeCase) -> None:
    table, records = case({"DI": [0.8], "NI": [0.9]})
    last = list(records)[-1]
    records[last] = make_record(last, 0.9, recipe={"synthetic_images": 128})
    assert len(measured_frame(table, records)) == 2


def test_what_an_input_says_counts_as_the_record_s(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.8]})
    for key, pixels in zip(list(records), ("minmax", "denormalize"), strict=True):
        records[f"s{key}"] = make_record(f"s{key}", metrics={"pixels": pixels}, recipe={})
        records[key] = make_record(key, recipe={}, inputs={"images": f"s{key}"})
    with pytest.raises(RecordError, match=r"pixels is minmax in .* but denormalize in"):
        measured_frame(table, records)


def test_images_that_were_pixels_are_like_those_of_any_mapping(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.8, 0.8]})
    first, second, third = list(records)

    def of(*mappings: str) -> dict[str, Record]:
        return {
            key: make_record(key, 0.8, metrics={"test_accuracy": 0.8, "pixels": pixels})
            for key, pixels in zip((first, second, third), mappings, strict=True)
        }

    for mapping in ("minmax", "denormalize"):
        assert len(measured_frame(table, of("own", mapping, mapping))) == 1
    with pytest.raises(RecordError, match=r"pixels is minmax in .* but denormalize in"):
        measured_frame(table, of("minmax", "own", "denormalize"))


def test_other_images_of_one_data_set_are_unlike_and_those_of_two_are_not(case: MakeCase) -> None:
    """Rows of several data sets share a column; older records don't say which images."""
    table, records = case({"DI": [0.8, 0.8, 0.8]})
    keys = list(records)

    def of(*images: tuple[str, str]) -> dict[str, Record]:
        return {
            key: make_record(
                key,
                recipe={"dataset": dataset},
                metrics={"test_accuracy": 0.8}
                | ({"data_fingerprint": fingerprint} if fingerprint else {}),
            )
            for key, (dataset, fingerprint) in zip(keys, images, strict=True)
        }

    assert len(measured_frame(table, of(("a", "1"), ("b", "2"), ("a", "1")))) == 1
    assert len(measured_frame(table, of(("a", "1"), ("a", ""), ("a", "1")))) == 1
    with pytest.raises(RecordError, match=r"data_fingerprint is 1 in .* but 2 in"):
        measured_frame(table, of(("a", "1"), ("a", ""), ("a", "2")))


def test_a_record_without_the_metric_names_what_it_has(case: MakeCase) -> None:
    table, records = case({"DI": [0.8]})
    key = next(iter(records))
    records[key] = make_record(key, metrics={"loss": 1.0})
    with pytest.raises(RecordError, match="no number 'test_accuracy'; it has loss"):
        measured_frame(table, records)


def test_unlike_metrics_of_a_row_have_no_best_among_them(case: MakeCase) -> None:
    """Even where seeds would tell the two numbers apart."""
    table, records = case({"DI": [0.91, 0.92, 0.93], "NI": [0.5, 0.5, 0.5]})
    columns = [make_column("DI"), make_column("NI", metric="loss")]
    changed = msgspec.structs.replace(table, columns=columns)
    for number, key in enumerate(table.rows[0].cells["NI"].records):
        metrics = {"loss": 0.2 + number / 1000}
        records[key] = msgspec.structs.replace(records[key], metrics=metrics)
    frame = measured_frame(changed, records)
    assert list(frame["mark"]) == ["", ""]
    assert frame["p_value"].isna().all()
