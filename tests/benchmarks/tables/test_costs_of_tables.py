"""Every table and figure says what each of its methods cost."""

import pytest

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.display_names import title_of
from benchmarks.tables.expand import expand
from benchmarks.tables.image_cells import REAL
from benchmarks.tables.spec import TableSpec, read_table, tables
from benchmarks.training.wgan_reference import METHOD as WGAN
from reports.records import Cost, Metric, Provenance, Record
from reports.tables.cost import costs_of

IMAGES = ("synthesis", "wgan_gp")
WHERE = Provenance("abc", {}, "cpu", "fp32", 1, "Linux", "now", "AMD EPYC")


def record_of(cell: Cell) -> Record:
    """A second for every cell, a hundred images for those that make some."""
    metrics: dict[str, Metric] = {"images": 100} if cell.kind in IMAGES else {}
    if cell.kind not in (*IMAGES, "fidelity", "tsne"):
        metrics = {"test_accuracy": 0.5}
    return Record(
        kind=cell.kind,
        label=cell.label,
        key=cell.key,
        recipe=cell.recipe,
        inputs={role: other.key for role, other in cell.inputs.items()},
        metrics=metrics,
        cost=Cost(1.0, 1.0, 100 if cell.kind in IMAGES else 0, 1.0),
        provenance=WHERE,
        artefacts={},
    )


def is_control(cell: Cell) -> bool:
    """A student that is distilled on real images."""
    return cell.kind == "distillation" and not cell.recipe["images"]["batches"]


def methods(spec: TableSpec) -> set[str]:
    named = {part.method for part in (spec.defaults, *spec.rows, *spec.columns)}
    return (named | set(spec.defaults.methods)) - {"", REAL, WGAN}


@pytest.mark.parametrize("name", tables())
def test_every_method_of_a_table_has_its_cost(name: str) -> None:
    scale = "mini" if name == "split" else "demo"  # which makes fewer images than its rows have
    spec, book = read_table(name), Recipes(scale, "digits")
    expansion = expand(spec, book, [0, 1])
    records = {cell.key: record_of(cell) for cell in with_inputs(expansion.targets)}
    (table,) = expansion.tables
    lines = costs_of(table, records)
    references = {""} if any(row.method == WGAN for row in spec.rows) else set()
    # Students of real images, controls, have their training and images that cost nothing.
    controls = [line for line in lines if line.seconds is not None and not line.seconds.mean]
    assert {line.method for line in lines if line not in controls} == {
        title_of(book, m) for m in methods(spec)
    } | references
    real = any(is_control(cell) for cell in with_inputs(expansion.targets))
    assert bool(controls) == real
    for line in lines:
        assert line.seconds is not None
        assert line.seconds.mean >= 1 or line in controls
        assert len(line.seeds) == 2
    assert all(line.student_seconds is not None for line in controls)
    students = {
        cell.key
        for cell in with_inputs(expansion.targets)
        if "test_accuracy" in records[cell.key].metrics
    }
    trained_on_images = {
        key for key in students if any(r.startswith("images") for r in records[key].inputs)
    }
    counted = {record.key for line in lines for record in line.records}
    assert trained_on_images <= counted
    made = {cell.key for cell in with_inputs(expansion.targets) if cell.kind in IMAGES}
    assert made <= counted, "no cell of images is left out"


@pytest.mark.parametrize("method", ["adi", "ni_adi"])
def test_competition_costs_every_round(method: str) -> None:
    """At paper scale: 50 batches to start from, then 19 rounds of a student and 50 batches."""
    spec = read_table("table5")
    expansion = expand(
        spec, Recipes("paper", "cifar10"), [0], methods=[method], rows=["resnet34-resnet18"]
    )
    records = {cell.key: record_of(cell) for cell in with_inputs(expansion.targets)}
    (line,) = costs_of(expansion.tables[0], records)
    assert line.seconds is not None
    assert line.images is not None
    assert line.seconds.mean == 1 + 19 + 19
    assert line.images.mean == 20 * 100
    assert line.competes
