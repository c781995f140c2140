"""Fake runs: methods as columns, methods as rows, and names that try to run as code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import records as store
from reports.figures.spec import Lines, LineSeries
from reports.tables import layout
from reports.tables.layout import Column, Picture, Row, View, ViewCell
from tests.reports.makers import make_column, make_png, make_record, make_view

EVIL = "<script>window.hacked=1</script>"
STUDENTS = ("ResNet-18", "VGG-11", "MobileNetV2")
CLAIM = "table5/cifar10/resnet34/{student}/{method}/test_accuracy"


def write_runs(runs: Path) -> None:
    """Three views with their records and pictures."""
    for name, view in (
        ("table5-demo-digits", _students(runs)),
        ("table4-mini-cifar10", _pyramids(runs)),
        ("compare-demo-evil", _evil(runs)),
    ):
        layout.write(runs / "views" / f"{name}.json", view)


def _students(runs: Path) -> View:
    """Methods are columns: three students, three seeds, one number not run; and a figure."""
    synthesis = {}
    for number, (name, colour) in enumerate((("DI", "teal"), ("NI", "orange"))):
        synthesis[name] = _put(
            runs, f"aa{number:010x}", {"images": 64.0}, kind="synthesis", label=f"{name}-images"
        )
        folder = store.folder_of(runs, synthesis[name])
        (folder / "grid.png").write_bytes(make_png((60, 36), colour))
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
            cells[name] = ViewCell(keys, 89.41, claim=claim, footnote="why" if place else "")
        rows.append(Row(student, {"Teacher": "ResNet-34", "Student": student}, cells))
    series = [
        LineSeries(n, [row.cells[n].records for row in rows], "test_accuracy") for n in synthesis
    ]
    return make_view(
        {"T.": rows[0].cells["T."], "DI": rows[0].cells["DI"], "NI": rows[0].cells["NI"]},
        title="Table 5: students",
        rows=rows,
        footnotes={"why": "A footnote."},
        pictures=[
            Picture(n, "one column per class", r.key, "grid.png") for n, r in synthesis.items()
        ],
        figures=[
            Lines(
                "curve", "A curve", "Its caption.", "part", "accuracy, %", [0.1, 0.2, 0.3], series
            ),
            Lines(
                "none",
                "No curve",
                "",
                "part",
                "accuracy, %",
                [0.1],
                [LineSeries("NI", [["gone"]], "test_accuracy")],
            ),
        ],
    )


def _pyramids(runs: Path) -> View:
    """Methods are rows, columns are metrics that go either way; the same pictures again."""
    numbers = {"DI": (197.3, 0.5996), "NI": (76.04, 0.6797), "Real": (3.2, 0.9)}
    rows = []
    for place, (name, (fid, precision)) in enumerate(numbers.items()):
        keys = [f"f{place}{seed:010x}" for seed in range(3)]
        for seed, key in enumerate(keys):
            metrics = {"fid": fid + seed, "precision": precision + seed / 1000}
            _put(runs, key, metrics, kind="fidelity", label=f"fidelity-{name}")
        cells = {metric: ViewCell(keys, 70.0) for metric in ("fid", "precision")}
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
    return make_view(
        {"x": rows[0].cells["fid"]},
        table="table4",
        title="Table 4: pyramids",
        scale="mini",
        dataset="cifar10",
        contest="column",
        columns=[
            Column(
                "fid", "FID", "method", "fid", "inception, 10,000 images", higher_is_better=False
            ),
            Column("precision", "Precision", "method", "precision", "inception, 10,000 images"),
        ],
        rows=rows,
        pictures=[Picture("DI", "one column per class", "aa0000000000", "grid.png")],
    )


def _evil(runs: Path) -> View:
    """Everything that a stranger may name is a script."""
    record = _put(
        runs,
        "ee0000000000",
        {"test_accuracy": 0.5, EVIL: 0.5},
        recipe={EVIL: EVIL, "synthetic_images": 64},
        notes=[EVIL],
    )
    (store.folder_of(runs, record) / "grid.png").write_bytes(make_png())
    column = make_column("evil", title=EVIL, method=EVIL, detail=EVIL, note=EVIL)
    return make_view(
        {"evil": ViewCell([record.key], 1.0, footnote="f")},
        table="compare",
        title=EVIL,
        caption=EVIL,
        dataset=EVIL,
        published_dataset=EVIL,
        columns=[column],
        footnotes={"f": EVIL},
        pictures=[Picture(EVIL, EVIL, record.key, "grid.png")],
        figures=[
            Lines(
                "evil",
                EVIL,
                EVIL,
                EVIL,
                EVIL,
                [0.5],
                [LineSeries(EVIL, [[record.key]], "test_accuracy")],
            )
        ],
    )


def _put(runs: Path, key: str, metrics: Mapping[str, float], **changes: Any) -> store.Record:
    record = make_record(key, metrics=dict(metrics), **changes)
    store.write(store.folder_of(runs, record), record)
    return record
