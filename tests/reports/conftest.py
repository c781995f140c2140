"""Small tables with their records, and a runs folder that holds some."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reports.records import Record
from reports.tables import table_files
from reports.tables.layout import Column, Picture, Row, Table, TableCell
from tests.reports.makers import (
    DI_CLAIM,
    NI_CLAIM,
    make_grid,
    make_record,
    make_table,
    make_tiles,
    put,
)

Case = tuple[Table, dict[str, Record]]


@pytest.fixture
def case() -> Callable[..., Case]:
    """A table and its records from the accuracies of each method, by seed; None is not run."""

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
            cells[name] = TableCell(keys, DI_CLAIM)
        return make_table(cells, **changes), found

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
                    {metric: TableCell(keys) for metric in metrics},
                    role="baseline" if baseline else "method",
                    method="" if baseline else name,
                )
            )
        columns = [
            Column(m, m.upper(), "method", m, higher_is_better=m not in ("fid", "loss"))
            for m in metrics
        ]
        seeds = list(range(len(next(iter(numbers.values()))[metrics[0]])))
        whole = {"columns": columns, "rows": rows, "seeds": seeds, "rank_along": "column"}
        return make_table({"x": TableCell([""])}, **(whole | changes)), found

    return make


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A runs folder: three methods by three seeds, sample images of one, and the table of all."""
    folder = tmp_path / "runs"
    synthesis = make_record(
        "aaaaaaaaaaaa", kind="synthesis", label="di-images", metrics={"images": 64}
    )
    put(folder, synthesis, grid_png=make_grid(make_tiles()))
    cells = {}
    for name, start in (("DFAD", 0.60), ("DI", 0.80), ("NI", 0.90)):
        keys = [f"{name.lower()}{seed:010d}" for seed in range(3)]
        for seed, key in enumerate(keys):
            put(
                folder,
                make_record(key, start + start * seed / 1000, inputs={"images": synthesis.key}),
            )
        cells[name] = TableCell(keys, NI_CLAIM)
    picture = Picture("DI", "a column per class", synthesis.key, "grid.png")
    table = make_table(cells, pictures=[picture])
    table_files.write(folder / "tables" / "table5-demo-digits.json", table)
    return folder
