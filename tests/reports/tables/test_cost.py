"""What methods cost: sums over the cells of their images, means over seeds, never over devices."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from reports.records import Cost, Provenance, Record
from reports.tables.cost import costs_of
from reports.tables.layout import Row, Table, TableCell
from reports.tables.method_cost import MethodCost
from tests.reports.makers import make_column, make_record, make_table

EPYC, XEON = "AMD EPYC 7763", "Intel Xeon 8480C"


def where(device: str = "cpu", cpu: str = EPYC, **changes: Any) -> Provenance:
    found = Provenance("c", {}, device, "fp32", 1, "Linux x86_64, Python 3.11.7", "now", cpu)
    return msgspec.structs.replace(found, **changes)


def images(key: str, seconds: float, count: int = 100, peak: float = 10.0, **more: Any) -> Record:
    cost = Cost(seconds, seconds, count, peak)
    changes = {"provenance": where(), "cost": cost, **more}
    return make_record(key, kind="synthesis", metrics={"images": count}, **changes)


def student(key: str, seconds: float, *sources: str, peak: float = 20.0, **more: Any) -> Record:
    inputs = {"teacher": "t"} | {f"images{i}": source for i, source in enumerate(sources)}
    cost = Cost(seconds, seconds, 0, peak)
    return make_record(key, cost=cost, **({"provenance": where(), "inputs": inputs} | more))


TEACHER = make_record("t", cost=Cost(1000.0, 1000.0, 0, 1000.0), provenance=where())


def costs(table: Table, *records: Record) -> list[MethodCost]:
    return costs_of(table, {record.key: record for record in [TEACHER, *records]})


def column_view(*keys: str, **more: list[str]) -> Table:
    """One method, NI, with a key per seed; ``more`` are other methods."""
    cells = {"NI": list(keys), **more}
    return make_table({name: TableCell(found) for name, found in cells.items()})


def test_images_cost_all_their_cells_and_the_student_its_own() -> None:
    made = [images("a", 30.0, peak=40.0), images("b", 50.0, 60)]
    (line,) = costs(column_view("s"), *made, student("s", 7.0, "a", "b"))
    assert (line.method, line.in_labels) == ("NI", False)
    assert line.images is not None
    assert line.seconds is not None
    assert line.images_per_second is not None
    assert line.student_seconds is not None
    assert (line.images.mean, line.seconds.mean, line.student_seconds.mean) == (160, 80.0, 7.0)
    assert line.images_per_second.mean == 2.0
    assert (line.peak_mb, line.student_peak_mb) == (40.0, 20.0)
    assert {record.key for record in line.records} == {"a", "b", "s"}, "the teacher is given"


def test_rounds_of_competition_cost_their_images_and_their_students() -> None:
    """ADI: images of DI, a student on them, images against that student, and so on."""
    cells = [
        images("di", 10.0),
        student("r1", 3.0, "di", peak=90.0),
        images("adi1", 20.0, inputs={"teacher": "t", "student": "r1"}),
        student("r2", 4.0, "di", "adi1", inputs={"images0": "di", "initial": "r1"}),
        images("adi2", 20.0, inputs={"teacher": "t", "student": "r2"}),
        student("s", 6.0, "di", "adi1", "adi2"),
    ]
    (line,) = costs(column_view("s"), *cells)
    assert line.seconds is not None
    assert line.images is not None
    assert line.student_seconds is not None
    assert (line.seconds.mean, line.images.mean) == (57.0, 300)
    assert line.student_seconds.mean == 6.0
    assert line.peak_mb == 90.0, "of the students on the way too"
    assert line.competes


@pytest.mark.parametrize("columns", [("fresh", "loop"), ("loop", "fresh")])
def test_a_number_of_the_student_in_the_loop_costs_nothing_more(columns: tuple[str, str]) -> None:
    """It was trained for the images, and is counted there."""
    cells = [
        images("di", 10.0),
        student("loop", 3.0, "di"),
        images("adi", 20.0, inputs={"teacher": "t", "student": "loop"}),
        student("fresh", 6.0, "di", "adi"),
    ]
    table = make_table({name: TableCell([name]) for name in columns})
    same = [msgspec.structs.replace(column, method="ADI") for column in table.columns]
    (line,) = costs(msgspec.structs.replace(table, columns=same), *cells)
    assert line.seconds is not None
    assert line.student_seconds is not None
    assert (line.seconds.mean, line.student_seconds.mean) == (33.0, 6.0)


def test_a_student_that_grows_with_its_generator_costs_what_its_images_cost() -> None:
    tested = student("s", 1.0, "g", kind="joint_student")
    slow = msgspec.structs.replace(tested, provenance=where("cpu", XEON))
    (line,) = costs(column_view("s"), images("g", 200.0, recipe={"student": "vgg11"}), slow)
    assert line.seconds is not None
    assert line.seconds.mean == 200.0
    assert line.with_images
    assert line.student_seconds is None
    assert line.student_peak_mb is None
    assert line.machine == f"{EPYC}, 1 thread", "where it is only tested does not count"


def test_a_pruned_networks_tuning_is_a_training_of_its_own() -> None:
    tuned = student("p", 7.0, "a", kind="pruning", recipe={"pruning": {"training": {}}})
    (line,) = costs(column_view("p"), images("a", 30.0), tuned)
    assert not line.with_images
    assert line.student_seconds is not None
    assert line.student_seconds.mean == 7.0


def test_seeds_have_a_mean_and_a_spread_and_each_its_own_rate() -> None:
    cells = [images("a", 10.0), student("s", 1.0, "a"), images("b", 40.0), student("r", 3.0, "b")]
    (line,) = costs(column_view("s", "r"), *cells)
    assert len(line.seeds) == 2
    assert line.seconds is not None
    assert line.images_per_second is not None
    assert (line.seconds.mean, line.seconds.sd) == (25.0, pytest.approx(21.213, abs=1e-3))
    assert line.images_per_second.mean == pytest.approx((10 + 2.5) / 2)


def test_what_serves_several_seeds_counts_once() -> None:
    (line,) = costs(column_view("s", "s", "s"), images("a", 10.0), student("s", 1.0, "a"))
    assert len(line.seeds) == 1
    assert line.seconds is not None
    assert line.seconds.sd is None


@pytest.mark.parametrize(
    "other",
    [
        where("cuda:0 (NVIDIA H100 80GB HBM3)"),
        where(cpu=XEON),
        where(threads=2),
    ],
    ids=["device", "cpu", "threads"],
)
def test_devices_are_never_averaged(other: Provenance) -> None:
    cells = [
        images("a", 10.0),
        student("s", 1.0, "a"),
        images("b", 40.0, provenance=other),
        student("r", 3.0, "b", provenance=other),
    ]
    lines = costs(column_view("s", "r"), *cells)
    assert [line.seconds and line.seconds.mean for line in lines] == [10.0, 40.0]
    assert len({line.machine for line in lines}) == 2


def test_gpus_of_one_model_are_one_device() -> None:
    gpus = [where(f"cuda:{i} (NVIDIA H100 80GB HBM3)", XEON, precision="bf16") for i in range(2)]
    cells = [
        images("a", 10.0, provenance=gpus[0]),
        images("b", 40.0, provenance=gpus[1]),
    ]
    (line,) = costs(column_view("a", "b"), *cells)
    assert line.machine == f"NVIDIA H100 80GB HBM3, bf16, CPU: {XEON}"
    assert line.on_gpu
    assert line.seconds is not None
    assert line.seconds.mean == 25.0


def test_several_devices_of_one_number_are_all_named() -> None:
    gpu = where("cuda:0 (NVIDIA H100 80GB HBM3)", XEON)
    cells = [images("a", 10.0), images("b", 40.0, provenance=gpu)]
    (line,) = costs(column_view("s"), *cells, student("s", 1.0, "a", "b"))
    made = f"{EPYC}, 1 thread and NVIDIA H100 80GB HBM3, CPU: {XEON}"
    assert line.machine == f"images: {made}; student: {EPYC}, 1 thread"
    assert not line.on_gpu


def test_records_of_before_the_cpus_name_say_what_they_have() -> None:
    old = [where(cpu=""), where("cuda:0 (NVIDIA A100)", "")]
    names = [costs(column_view("a"), images("a", 1.0, provenance=p))[0].machine for p in old]
    assert names == ["CPU (Linux x86_64), 1 thread", "NVIDIA A100, CPU (Linux x86_64)"]


def test_costs_in_another_precision_are_told_apart_on_a_cpu_too() -> None:
    bf16 = msgspec.structs.replace(where(), precision="bf16")
    names = [
        costs(column_view("a"), images("a", 1.0, provenance=p))[0].machine for p in (where(), bf16)
    ]
    assert names == [f"{EPYC}, 1 thread", f"{EPYC}, bf16, 1 thread"]


def test_a_missing_record_leaves_the_cost_of_images_unknown_and_is_no_zero() -> None:
    (line,) = costs(column_view("s"), images("a", 10.0), student("s", 1.0, "a", "gone"))
    assert line.seconds is None
    assert line.images is None
    assert line.images_per_second is None
    assert line.peak_mb is None
    assert line.student_seconds is not None
    assert line.student_seconds.mean == 1.0


def test_methods_that_were_not_run_and_numbers_of_no_images_have_no_line() -> None:
    table = column_view("s", **{"T.": ["t"], "DI": ["not run"]})
    lines = costs(table, images("a", 10.0), student("s", 1.0, "a"))
    assert [line.method for line in lines] == ["NI"]
    assert costs(make_table({"T.": TableCell(["t"])})) == []


def row_view(cells: Mapping[str, str], **changes: Any) -> Table:
    """A row with columns of no method; ``changes`` are the row's."""
    found = {name: TableCell([key]) for name, key in cells.items()}
    columns = [make_column(name, method="") for name in cells]
    row = Row("r", {"Method": "label"}, found)
    return make_table(found, columns=columns, rows=[msgspec.structs.replace(row, **changes)])


def fidelity(key: str, inputs: dict[str, str]) -> Record:
    return make_record(key, kind="fidelity", metrics={"fid": 1.0}, inputs=inputs)


def test_all_numbers_of_a_row_together_cost_their_images_once() -> None:
    """A row's agreement is of the first cell of images, its FID of more, its student of all."""
    made = [images(name, 10.0) for name in "abc"]
    judged = fidelity("f", {"images0": "a", "images1": "b"})
    table = row_view({"agreement": "a", "fid": "f", "student": "s", "T.": "t"}, method="NI")
    (line,) = costs(table, *made, judged, student("s", 4.0, "a", "b", "c"))
    assert (line.method, line.in_labels) == ("NI", True)
    assert line.seconds is not None
    assert line.student_seconds is not None
    assert (line.seconds.mean, line.student_seconds.mean) == (30.0, 4.0)


def test_a_reference_that_is_no_method_has_its_line() -> None:
    wgan = images("w", 99.0, recipe={})
    table = row_view({"fid": "f"}, role="baseline")
    (line,) = costs(table, wgan, fidelity("f", {"images0": "w"}))
    assert line.in_labels
    assert line.seconds is not None
    assert line.seconds.mean == 99.0
    assert costs(table, fidelity("f", {})) == [], "real images cost nothing to make"


def test_a_number_of_several_sets_is_a_line_for_each() -> None:
    judged = fidelity("f", {"teacher": "t", "images-DI-0": "a", "images-NI+ADI-0": "b"})
    lines = costs(row_view({"x": "f"}), images("a", 10.0), images("b", 20.0), judged)
    assert [(line.method, line.seconds and line.seconds.mean) for line in lines] == [
        ("DI", 10.0),
        ("NI+ADI", 20.0),
    ]


def test_a_method_that_nothing_names_has_its_recipes_name() -> None:
    (line,) = costs(row_view({"x": "a"}), images("a", 10.0, recipe={"method": "ni"}))
    assert (line.method, line.in_labels) == ("ni", False)


def test_numbers_of_no_method_beside_those_of_one_are_not_counted_twice() -> None:
    """The pruned teacher before its tuning is a number of no method, from a method's record."""
    found = {name: TableCell(["s"]) for name in ("untuned", "NI")}
    columns = [make_column("untuned", method=""), make_column("NI")]
    lines = costs(make_table(found, columns=columns), images("a", 10.0), student("s", 1.0, "a"))
    assert [line.method for line in lines] == ["NI"]


def test_rows_of_the_same_cells_have_one_line() -> None:
    """Stages of a t-SNE are rows of one embedding, which needed one set of images."""
    judged = fidelity("f", {"images-DI-0": "a"})
    table = row_view({"x": "f"})
    stages = [
        Row(stage, {"Dataset": "Digits", "Features": stage}, table.rows[0].cells)
        for stage in ("block1", "block2", "last")
    ]
    whole = msgspec.structs.replace(table, rows=stages)
    (line,) = costs(whole, images("a", 10.0), judged)
    assert (line.rows, line.labels) == (
        ["block1", "block2", "last"],
        {"Dataset": "Digits", "Features": "all"},
    )
    other = msgspec.structs.replace(stages[2], cells={"x": TableCell(["g"])})
    partly = msgspec.structs.replace(table, rows=[*stages[:2], other])
    both = costs(
        partly,
        images("a", 10.0),
        judged,
        images("b", 10.0),
        fidelity("g", {"images-DI-0": "b"}),
    )
    assert [line.labels["Features"] for line in both] == ["block1, block2", "last"]


def control(key: str, seconds: float, **more: Any) -> Record:
    """A student of real images: its recipe names no batch of a method."""
    images_read = {"batches": [], "count": 500}
    recipe = {"seed": 0, "training": {"epochs": 2}, "images": images_read}
    return student(key, seconds, **({"recipe": recipe} | more))


def test_a_student_of_real_images_costs_its_training_alone() -> None:
    """Each control has a line by its column's title, its agreement none beside its accuracy."""
    found = {name: TableCell([key]) for name, key in zip("nar", ("s", "r", "r"), strict=True)}
    columns = [
        make_column("n", method="NI"),
        make_column("a", title="Real images", role="baseline", method=""),
        make_column(
            "r", title="Real images, agreement", role="baseline", method="", group="agreement"
        ),
    ]
    table = make_table(found, columns=columns)
    made, real = costs(table, images("a", 10.0), student("s", 1.0, "a"), control("r", 7.0))
    assert (made.method, made.of_real_images) == ("NI", False)
    assert (real.method, real.in_labels, real.of_real_images) == ("Real images", False, True)
    assert real.seconds is not None
    assert real.student_seconds is not None
    assert (real.seconds.mean, real.student_seconds.mean) == (0.0, 7.0)
    assert (real.images_per_second, real.peak_mb, real.student_peak_mb) == (None, None, 20.0)
    assert real.machine == f"{EPYC}, 1 thread"
    assert [record.key for record in real.records] == ["r"]


def test_a_row_of_real_images_is_called_by_its_labels() -> None:
    (line,) = costs(row_view({"x": "r"}, role="baseline"), control("r", 7.0))
    assert (line.method, line.in_labels) == ("", True)
    assert line.student_seconds is not None
    assert line.student_seconds.mean == 7.0
    judged = make_record("f", kind="fidelity", metrics={"fid": 1.0}, recipe=line.records[0].recipe)
    assert costs(row_view({"x": "f"}, role="baseline"), judged) == [], "nothing was trained on them"


def test_a_control_is_no_cost_of_the_method_of_its_row() -> None:
    cells = [images("a", 10.0), student("s", 1.0, "a"), control("r", 7.0)]
    table = row_view({"student": "s", "real": "r"}, method="NI")
    made, real = costs(table, *cells)
    assert made.student_seconds is not None
    assert made.student_seconds.mean == 1.0
    assert (real.method, real.of_real_images) == ("real", True)


def test_the_teachers_agreement_is_of_images_not_of_cells() -> None:
    """Of 300 and 100 images: 0.9 and 0.5 of them are 320 of 400."""
    made = [
        msgspec.structs.replace(
            images(key, 10.0, count), metrics={"images": count, "teacher_agreement": share}
        )
        for key, count, share in (("a", 300, 0.9), ("b", 100, 0.5))
    ]
    (line,) = costs(column_view("s"), *made, student("s", 1.0, "a", "b"))
    assert line.agreement is not None
    assert line.agreement.mean == pytest.approx(80.0)
