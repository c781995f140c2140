"""Small views and records, and a runs folder that holds some."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reports import records as store
from reports.records import Record
from reports.tables import layout
from reports.tables.layout import Column, Picture, Row, View, ViewCell
from tests.reports.makers import make_png, make_record, make_view


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
def ablation() -> Callable[..., Case]:
    """Rows are methods, columns are metrics: ``ablation({"NI": {"fid": [46.1, 46.3]}})``.

    A number of FID or of losses is the better the lower; a row called ``Real`` is a baseline.
    """

    def make(numbers: Mapping[str, Mapping[str, list[float]]], **changes: Any) -> Case:
        metrics = list(next(iter(numbers.values())))
        found: dict[str, Record] = {}
        rows = []
        for number, (name, values) in enumerate(numbers.items()):
            keys = [f"{number:06d}{seed:06d}" for seed in range(len(values[metrics[0]]))]
            for seed, key in enumerate(keys):
                of_seed: dict[str, Any] = {m: values[m][seed] for m in metrics}
                found[key] = make_record(key, metrics=of_seed, kind="fidelity")
            baseline = name == "Real"
            rows.append(
                Row(
                    name.lower(),
                    {"Method": name},
                    {metric: ViewCell(keys, published=None) for metric in metrics},
                    role="baseline" if baseline else "method",
                    method="" if baseline else name,
                )
            )
        columns = [
            Column(m, m.upper(), "method", m, higher_is_better=m not in ("fid", "loss"))
            for m in metrics
        ]
        seeds = list(range(len(next(iter(numbers.values()))[metrics[0]])))
        whole = {"columns": columns, "rows": rows, "seeds": seeds, "contest": "column"}
        return make_view({"x": ViewCell([""], None)}, **(whole | changes)), found

    return make


@pytest.fixture
def png() -> bytes:
    """A real picture."""
    return make_png()


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
    layout.write(folder / "views" / "table5-demo-digits.json", make_view(cells, pictures=[picture]))
    return folder
