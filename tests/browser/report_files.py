"""Fake runs: methods as columns, methods as rows, and names that try to run as code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import records as store
from reports.tables import table_files
from reports.tables.layout import Column, FigureSpec, Picture, Row, Table, TableCell
from tests.reports.makers import make_column, make_grid, make_record, make_table, make_tiles

EVIL = "<script>window.hacked=1</script>"
STUDENTS = ("ResNet-18", "VGG-11", "MobileNetV2")
CLAIM_1 = "table1/cifar10/resnet34/-/ni/{metric}"
CLAIM = "table5/cifar10/resnet34/{student}/{method}/test_accuracy"


def write_runs(runs: Path) -> None:
    """Three tables with their records and pictures."""
    for name, table in (
        ("table5-demo-digits", _students(runs)),
        ("table4-mini-cifar10", _pyramids(runs)),
        ("compare-demo-evil", _evil(runs)),
    ):
        table_files.write(runs / "tables" / f"{name}.json", table)


def _students(runs: Path) -> Table:
    """Methods are columns: three students, three seeds, one number not run; and a figure."""
    synthesis = {}
    for number, name in enumerate(("DI", "NI")):
        synthesis[name] = _put(
            runs, f"aa{number:010x}", {"images": 64.0}, kind="synthesis", label=f"{name}-images"
        )
        folder = store.folder_of(runs, synthesis[name])
        (folder / "grid.png").write_bytes(make_grid(make_tiles(number, 6)))
    rows = []
    for number, student in enumerate(STUDENTS):
        cells = {}
        for place, (name, accuracy) in enumerate((("T.", 0.97), ("DI", 0.85), ("NI", 0.9))):
            keys = [f"{place}{number}{seed:010x}" for seed in range(3)]
            for seed, key in enumerate(keys[: 0 if (name, number) == ("DI", 2) else 3]):
                value = accuracy - 0.02 * number + (0.004 if name == "NI" else 0.006) * seed
                inputs = {"images": synthesis[name].key} if name in synthesis else {}
                _put(runs, key, {"test_accuracy": value}, inputs=inputs, label=f"{name}-{student}")
            claim = CLAIM.format(student=student.lower().replace("-", ""), method=name.lower())
            cells[name] = TableCell(keys, claim)
        labels = {"Teacher": "ResNet-34", "Student": student}
        rows.append(Row(student, labels, cells, x=(number + 1) / 10))
    return make_table(
        rows[0].cells,
        title="Table 5: students",
        rows=rows,
        pictures=[
            Picture(n, "one column per class", r.key, "grid.png") for n, r in synthesis.items()
        ],
        figures=[
            FigureSpec(type="lines", name="curve", title="A curve", caption="Its caption."),
            FigureSpec(
                type="loss_curves", name="none", title="No losses", caption="", panels={"ce": "CE"}
            ),
        ],
    )


def _pyramids(runs: Path) -> Table:
    """Methods are rows, columns are metrics that go either way; the same pictures again."""
    numbers = {"DI": (197.3, 0.5996), "NI": (76.04, 0.6797), "Real": (3.2, 0.9)}
    rows = []
    for place, (name, (fid, precision)) in enumerate(numbers.items()):
        keys = [f"f{place}{seed:010x}" for seed in range(3)]
        for seed, key in enumerate(keys):
            metrics = {"fid": fid + seed, "precision": precision + seed / 1000}
            _put(runs, key, metrics, kind="fidelity", label=f"fidelity-{name}")
        cells = {m: TableCell(keys, CLAIM_1.format(metric=m)) for m in ("fid", "precision")}
        real = name == "Real"
        rows.append(
            Row(
                name,
                {"Method": name},
                cells,
                "baseline" if real else "method",
                "" if real else name,
            )
        )
    return make_table(
        {"x": rows[0].cells["fid"]},
        id="table4",
        title="Table 4: pyramids",
        scale="mini",
        dataset="cifar10",
        rank_along="column",
        columns=[
            Column(
                "fid", "FID", "method", "fid", "inception, 10,000 images", higher_is_better=False
            ),
            Column("precision", "Precision", "method", "precision", "inception, 10,000 images"),
        ],
        rows=rows,
        pictures=[Picture("DI", "one column per class", "aa0000000000", "grid.png")],
    )


def _evil(runs: Path) -> Table:
    """Everything that a stranger may name is a script."""
    record = _put(
        runs,
        "ee0000000000",
        {"test_accuracy": 0.5, EVIL: 0.5},
        recipe={EVIL: EVIL, "synthetic_images": 64},
        notes=[EVIL],
    )
    (store.folder_of(runs, record) / "grid.png").write_bytes(make_grid(make_tiles()))
    column = make_column("evil", title=EVIL, method=EVIL, detail=EVIL, note=EVIL)
    return make_table(
        {"evil": TableCell([record.key], EVIL)},
        id="compare",
        title=EVIL,
        caption=EVIL,
        dataset=EVIL,
        published_dataset=EVIL,
        columns=[column],
        pictures=[Picture(EVIL, EVIL, record.key, "grid.png")],
        rows=[Row("evil", {EVIL: EVIL}, {"evil": TableCell([record.key], EVIL)}, x=0.5)],
        figures=[FigureSpec(type="lines", title=EVIL, caption=EVIL, x_label=EVIL, y_label=EVIL)],
    )


def _put(runs: Path, key: str, metrics: Mapping[str, float], **changes: Any) -> store.Record:
    record = make_record(key, metrics=dict(metrics), **changes)
    store.write(store.folder_of(runs, record), record)
    return record
