"""Small tables, records and pictures, as the harness writes them."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from reports.records import Cost, Provenance, Record, folder_of, write
from reports.tables.layout import Column, Row, Table, TableCell

DI_CLAIM = "table5/cifar10/resnet34/vgg11/di/test_accuracy"  # 83.49, with an asterisk
NI_CLAIM = "table5/cifar10/resnet34/vgg11/ni/test_accuracy"  # 89.41


def make_record(key: str, accuracy: float = 0.9, **changes: Any) -> Record:
    """A student's record; ``changes`` replaces fields."""
    record = Record(
        kind="distillation",
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


def make_table(cells: Mapping[str, TableCell], **changes: Any) -> Table:
    """One row, ResNet-34 to VGG-11; a column per cell, methods but for one called ``T.``."""
    table = Table(
        id="table5",
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
    return msgspec.structs.replace(table, **changes)


def put(runs: Path, record: Record, **files: str | bytes) -> Record:
    """Write the record and its files (``losses_csv`` is losses.csv), whose digests it gets."""
    data = {
        name.replace("_", "."): content.encode() if isinstance(content, str) else content
        for name, content in files.items()
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    record = msgspec.structs.replace(record, artefacts=digests)
    write(folder_of(runs, record), record)
    for name, content in data.items():
        (folder_of(runs, record) / name).write_bytes(content)
    return record


def make_tiles(seed: int = 0, side: int = 4) -> npt.NDArray[np.uint8]:
    """Sample images (6, 10, side, side, 3) of noise that has no white."""
    noise = np.random.default_rng(seed).integers(0, 250, (6, 10, side, side, 3))
    return noise.astype(np.uint8)


def make_grid(tiles: npt.NDArray[np.uint8]) -> bytes:
    """Sample images as a PNG, side by side."""
    side = tiles.shape[2]
    sheet = np.empty((6 * side, 10 * side, 3), np.uint8)
    for row, column in np.ndindex(6, 10):
        place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        sheet[place] = tiles[row, column]
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    return file.getvalue()


def row_with(row: Row, column: str, **changes: Any) -> Row:
    """The row with fields of one of its cells replaced."""
    cell = msgspec.structs.replace(row.cells[column], **changes)
    return msgspec.structs.replace(row, cells=row.cells | {column: cell})
