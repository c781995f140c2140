"""Records, tables and the ledger of a few of them, for tests of the claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from reports.claims.ledger import ledger
from reports.claims.orderings import orderings
from reports.published import published
from reports.records import Cost, Provenance, Record
from reports.tables.layout import Column, Row, Table, TableCell

NI = "table5/cifar10/resnet34/resnet18/ni/test_accuracy"  # 93.72 %, 256,000 images
FID = "table1/cifar10/resnet34/-/ni/fid"  # 76.04, 50,000 images
PRECISION = "table1/cifar10/resnet34/-/ni/precision"  # 0.6797, 50,000 images
TEACHER = "table5/cifar10/resnet34/resnet18/teacher/test_accuracy"  # 95.57 %
COLUMNS = (
    "id table dataset teacher student method metric published unit measured sd n scale "
    "measured_on difference verdict reason note records"
)
COPIED = "table5/cifar10/resnet34/resnet18/di/test_accuracy"  # from DI's paper
OWN = "table5/cifar10/resnet34/vgg11/di/test_accuracy"  # the authors' own run
PAPER = {"width": 1.0, "image_size": 32}
WHOLE = {"synthetic_images": 256_000}
NO_ORDERINGS = orderings([], {})


def record(
    key: str,
    metrics: Mapping[str, Any],
    recipe: Mapping[str, Any] = PAPER,
    inputs: Mapping[str, str] | None = None,
) -> Record:
    return Record(
        kind="distillation",
        label=key,
        key=key,
        recipe=dict(recipe),
        inputs=dict(inputs or {}),
        metrics=dict(metrics),
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=Provenance("c", {"torch": "2"}, "cpu", "fp32", 1, "Linux", "2026-11-22"),
        artefacts={},
    )


def table(
    claim: str, records: Sequence[Record], scale: str = "paper", dataset: str = "cifar10"
) -> Table:
    """One cell that measures ``claim``, a record per seed."""
    metric, unit = published()[claim].metric, published()[claim].unit
    name = claim.partition("/")[0]
    return Table(
        id=name,
        title=name,
        caption="",
        scale=scale,
        dataset=dataset,
        published_dataset="CIFAR-10",
        seeds=list(range(len(records))),
        columns=[Column("c", "C", "method", metric, unit=unit)],
        rows=[Row("r", {"Row": "r"}, {"c": TableCell([r.key for r in records], claim)})],
        pictures=[],
    )


def students(*accuracies: float, name: str = "a", **changes: Any) -> list[Record]:
    return [
        record(f"{name}{seed}", {"test_accuracy": value} | WHOLE, **changes)
        for seed, value in enumerate(accuracies)
    ]


def frame_of(*made: tuple[Table, Sequence[Record]], others: Sequence[Record] = ()) -> pd.DataFrame:
    records = {r.key: r for _, found in made for r in found} | {r.key: r for r in others}
    return ledger([table for table, _ in made], records, {}).set_index("id")


def line_of(claim: str, *accuracies: float, **changes: Any) -> pd.Series:
    found = students(*accuracies)
    return frame_of((table(claim, found, **changes), found)).loc[claim]
