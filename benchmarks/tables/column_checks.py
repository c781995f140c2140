"""What can't share a column of a table: refused while it is planned, not once it is computed."""

from collections.abc import Sequence

from benchmarks.tables.row_cells import RowCells
from benchmarks.tables.spec import TableSpec
from naturalinversion.errors import UsageError


def check_columns(spec: TableSpec, rows: Sequence[RowCells]) -> None:
    """Raises `UsageError` for students trained with a generator below others in a column of
    ``spec``, where no label of a row says of how many images a number is.
    """
    if {"images", "made"} & set(spec.labels):
        return
    for column in rows[0].cells:
        kinds = {row.cells[column][0].kind: row for row in reversed(rows)}
        if {"joint_student", "distillation"} <= kinds.keys():
            joint, other = (kinds[kind].spec.name for kind in ("joint_student", "distillation"))
            raise UsageError(
                f"{spec.name}: {joint} trains its student with its generator, on ever new images, "
                f"{other} on a set of them: ask for one of the two, or for table5"
            )
