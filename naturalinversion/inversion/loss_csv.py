"""The course of every loss term over one batch, as a CSV, and where it ended."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from naturalinversion.files import write_atomically

FILE = "losses.csv"
LAST = 20  # one iteration's loss scatters by a tenth; the mean of the last twenty does not


def save_losses(path: Path, losses: Mapping[str, Tensor]) -> None:
    """Write one row per iteration, one column per term (E,)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["iteration", *losses])
    columns = [course.tolist() for course in losses.values()]
    for iteration, row in enumerate(zip(*columns, strict=True)):
        writer.writerow([iteration, *(f"{value:.6g}" for value in row)])
    write_atomically(path, buffer.getvalue().encode())


def final_losses(path: Path) -> dict[str, float]:
    """How many ``iterations`` the batch took, and each term's mean over the last, ``final_<term>``.

    Nothing without a file.
    """
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "iteration"] if rows else []
    last = rows[-LAST:]
    ends = {f"final_{name}": sum(float(row[name]) for row in last) / len(last) for name in names}
    return {"iterations": len(rows), **ends}
