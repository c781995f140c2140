"""Small views and records, as the harness writes them."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from reports import records as store
from reports import views
from reports.records import Cost, Provenance, Record
from reports.views import Column, Picture, Row, View, ViewCell


def make_record(key: str, accuracy: float = 0.9, **changes: Any) -> Record:
    """A student's record; ``changes`` replaces fields."""
    record = Record(
        kind="student",
        label=f"student-{key}",
        key=key,
        recipe={"seed": 0, "images": 64, "training": {"epochs": 2}},
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
        metric="test_accuracy",
        unit="%",
        higher_is_better=True,
        columns=[
            Column(name, name, "baseline" if name == "T." else "method", "offline")
            for name in cells
        ],
        rows=[Row("r", {"Teacher": "ResNet-34", "Student": "VGG-11"}, dict(cells))],
        pictures=[],
    )
    return msgspec.structs.replace(view, **changes)


@pytest.fixture
def new_record() -> Callable[..., Record]:
    """``make_record``."""
    return make_record


@pytest.fixture
def new_view() -> Callable[..., View]:
    """``make_view``."""
    return make_view


Case = tuple[View, dict[str, Record]]


@pytest.fixture
def case() -> Callable[..., Case]:
    """A view and its records from the accuracies of each method, one per seed; None is not run."""

    def make(accuracies: Mapping[str, list[float | None]], **changes: Any) -> Case:
        found: dict[str, Record] = {}
        cells = {}
        for number, (name, values) in enumerate(accuracies.items()):
            keys = [f"{number:06d}{seed:06d}" for seed in range(len(values))]
            found |= {
                key: make_record(key, value)
                for key, value in zip(keys, values, strict=True)
                if value is not None
            }
            cells[name] = ViewCell(keys, published=83.49)
        return make_view(cells, **changes), found

    return make


@pytest.fixture
def png() -> bytes:
    """A real picture."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def runs(tmp_path: Path, png: bytes) -> Path:
    """A runs folder: two methods by three seeds, a synthesis cell with a picture, one view."""
    folder = tmp_path / "runs"
    synthesis = make_record(
        "aaaaaaaaaaaa", kind="synthesis", label="di-images", metrics={"images": 64}
    )
    cells = {}
    for name, start in (("DI", 0.80), ("NI", 0.90)):
        keys = [f"{name.lower()}{seed:010d}" for seed in range(3)]
        for seed, key in enumerate(keys):
            record = make_record(key, start + seed / 1000, inputs={"images": synthesis.key})
            store.write(store.folder_of(folder, record), record)
        cells[name] = ViewCell(keys, published=89.41)
    place = store.folder_of(folder, synthesis)
    store.write(place, synthesis)
    (place / "grid.png").write_bytes(png)
    picture = Picture("DI", "a column per class", synthesis.key, "grid.png")
    views.write(folder / "views" / "table5-demo-digits.json", make_view(cells, pictures=[picture]))
    return folder
