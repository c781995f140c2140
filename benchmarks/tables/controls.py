"""The budget of controls: as many images as the offline methods beside them make."""

from collections.abc import Sequence

from msgspec.structs import replace

from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.schema import MethodRecipe
from benchmarks.tables.image_cells import were_pixels
from benchmarks.tables.selection import CONTROLS
from benchmarks.tables.spec import ColumnSpec, Measurement, RowSpec, TableSpec, merged
from naturalinversion.errors import UsageError


def with_budget(
    spec: TableSpec, recipes: Recipes, row: RowSpec, column: ColumnSpec, measurement: Measurement
) -> Measurement:
    """``measurement`` in the row and column; a control's with the budget of the offline methods.

    A column stands beside the methods of its row, which must make equally many images unless it
    says how many. A row stands beside those of all rows: it says how many, up to the most. Without
    an offline method the budget is the protocol's. Raises `UsageError`.
    """
    if measurement.evaluation != "distillation" or not _is_control(row, column):
        return measurement
    made = _offline(recipes, spec, spec.rows if row.method else [row])
    if not made:
        return measurement
    if not row.method and not measurement.images:
        _require_alike(f"{spec.name}, row {row.name}", made)
    take = max if row.method else min
    budget = take(made, key=lambda recipe: recipe.images)
    protocol = recipes.resolve(measurement.teacher, measurement.protocol).protocol
    if budget.images == protocol.images:
        return measurement
    changes = {"batches": budget.batches, "batch_size": budget.batch_size}
    return replace(measurement, protocol=measurement.protocol | changes)


def _is_control(row: RowSpec, column: ColumnSpec) -> bool:
    named = row if row.method else column
    return named.role == "baseline" and named.method in CONTROLS


def _offline(recipes: Recipes, spec: TableSpec, rows: Sequence[RowSpec]) -> list[MethodRecipe]:
    """The recipes of the methods whose images new students are trained on."""
    found: dict[str, MethodRecipe] = {}
    for row in rows:
        for column in spec.columns:
            one = merged(spec.defaults, row, column)
            if one.evaluation != "distillation" or _is_control(row, column):
                continue
            if not were_pixels(one.method) and one.method not in found:
                resolved = recipes.resolve(one.teacher, one.protocol)
                found[one.method] = resolved.method(one.method)
    return [recipe for recipe in found.values() if recipe.student_use != "joint"]


def _require_alike(where: str, made: Sequence[MethodRecipe]) -> None:
    """Raises `UsageError` where "as many" would be several numbers."""
    first = made[0]
    for other in made:
        if other.images != first.images:
            raise UsageError(
                f"{where}: its controls have as many images as each offline method, but "
                f"{first.name} makes {first.images:,} and {other.name} {other.images:,}: choose "
                "with --methods, or set both alike"
            )
