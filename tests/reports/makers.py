"""Small views, records and pictures, as the harness writes them."""

import io
from collections.abc import Mapping
from typing import Any

import msgspec
from PIL import Image

from reports.records import Cost, Provenance, Record
from reports.tables.layout import Column, Row, View, ViewCell


def make_record(key: str, accuracy: float = 0.9, **changes: Any) -> Record:
    """A student's record; ``changes`` replaces fields."""
    record = Record(
        kind="student",
        label=f"student-{key}",
        key=key,
        recipe={"seed": 0, "synthetic_images": 64, "training": {"epochs": 2}},
        inputs={},
        metrics={"test_accuracy": accuracy},
        cost=Cost(seconds=12.5, cpu_seconds=20.0, images=64, peak_memory_mb=300.0),
        provenance=Provenance(
            commit="0123456789abcdef",
            versions={"torch": "2.15.0"},
            device="cpu",
            precision="fp32",
            threads=2,
            platform="Linux",
            started="2026-11-22T20:00:00+00:00",
        ),
        artefacts={},
    )
    return msgspec.structs.replace(record, **changes)


def make_column(name: str, **changes: Any) -> Column:
    """Test accuracy of the method ``name``; of no method and a baseline if it is called ``T.``."""
    baseline = name == "T."
    column = Column(
        id=name,
        title=name,
        role="baseline" if baseline else "method",
        metric="test_accuracy",
        detail="" if baseline else "offline",
        unit="%",
        method="" if baseline else name,
    )
    return msgspec.structs.replace(column, **changes)


def make_view(cells: Mapping[str, ViewCell], **changes: Any) -> View:
    """One row, ResNet-34 to VGG-11; a column per cell, methods but for one called ``T.``."""
    view = View(
        table="table5",
        title="Table 5",
        caption="Students on synthetic images.",
        scale="demo",
        dataset="digits",
        published_dataset="CIFAR-10",
        seeds=list(range(max(len(cell.records) for cell in cells.values()))),
        columns=[make_column(name) for name in cells],
        rows=[Row("r", {"Teacher": "ResNet-34", "Student": "VGG-11"}, dict(cells))],
        pictures=[],
    )
    return msgspec.structs.replace(view, **changes)


def make_png(size: tuple[int, int] = (4, 4), colour: str = "teal") -> bytes:
    """A real picture."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()
