"""The loss terms of an optimisation over its iterations: on the device, and as a CSV file."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from naturalinversion.errors import DivergedError
from naturalinversion.files import write_atomically
from naturalinversion.inversion.cuda_graph import supports_capture

CHECK_EVERY = 50  # iterations between two calls of `LossHistory.check_later`
COPY_EVERY = 200  # iterations between two copies of a GPU's losses, each checked at the next
LOSSES = "losses.csv"
FINAL = 20  # iterations that a final loss is the mean of: a single one varies by a tenth


class LossHistory:
    """The loss terms (E, terms) of E iterations, kept on the device; `to_host` copies them.

    Terms are unweighted, one value per iteration; ``total`` is their weighted sum.
    """

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.names: list[str] = []
        self.rows = torch.empty(0)  # (E, terms)
        self.restart()

    def restart(self) -> None:
        """Clear the history in place: a captured step keeps writing to the same tensors."""
        self.rows.zero_()
        self._copy: tuple[int, Tensor, torch.cuda.Event] | None = None
        self._copied_until = 0

    def resume(self, names: Sequence[str], rows: Tensor) -> None:
        """Begin with the ``rows`` (done, terms) of an interrupted run."""
        self.names = list(names)
        self.rows = rows.new_zeros(self.iterations, len(names))
        self.rows[: len(rows)] = rows
        self._copied_until = len(rows)

    def append(self, iteration: Tensor, terms: dict[str, Tensor]) -> None:
        """Store the terms of ``iteration`` (1,), an index on the device."""
        row = torch.stack([term.detach() for term in terms.values()])
        if not self.names:
            self.names = list(terms)
            self.rows = row.new_zeros(self.iterations, len(terms))
        self.rows.index_copy_(0, iteration, row[None])

    def check_later(self, done: int) -> None:
        """As `check`, but without synchronising with a GPU: it is noticed `COPY_EVERY` later.

        A GPU's losses are copied asynchronously; the host is at most 2 * `COPY_EVERY` iterations
        ahead.
        """
        if not supports_capture(self.rows.device):
            self.check(done)
        elif done - self._copied_until >= COPY_EVERY:
            with torch.cuda.device(self.rows.device):
                self._check_and_copy(done)

    def check(self, done: int) -> None:
        """Raise `DivergedError`, naming term and iteration, if a loss so far is not finite."""
        self._raise_if_not_finite(self.rows[:done], 0)

    def relative_decrease(self, done: int, window: int) -> float:
        """Relative decrease of the mean total loss from one ``window`` to the next."""
        total = self.rows[:done, self.names.index("total")]
        before, now = total[-2 * window : -window].mean(), total[-window:].mean()
        return float((before - now) / before.abs())

    def to_host(self, done: int) -> dict[str, Tensor]:
        """Each term's values (done,) on the host. Raises as `check` does."""
        self.check(done)
        rows = self.rows[:done].to("cpu", copy=True)
        return dict(zip(self.names, rows.unbind(dim=1), strict=True))

    def _check_and_copy(self, done: int) -> None:
        """Check the rows copied the last time, and start copying those since to the host."""
        if self._copy is not None:
            start, rows, arrived = self._copy
            arrived.synchronize()
            self._raise_if_not_finite(rows, start)
        rows = self.rows[self._copied_until : done].to("cpu", non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        self._copy = self._copied_until, rows, arrived
        self._copied_until = done

    def _raise_if_not_finite(self, rows: Tensor, start: int) -> None:
        """Check ``rows`` (iterations, terms), the first of which is iteration ``start``."""
        if rows.isfinite().all():
            return
        iteration, column = (~rows.isfinite()).nonzero()[0].tolist()
        value = rows[iteration, column].item()
        raise DivergedError(f"{self.names[column]} became {value} at iteration {start + iteration}")


def save_losses(path: Path, losses: Mapping[str, Tensor]) -> None:
    """Write one row per iteration, one column per term (E,)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["iteration", *losses])
    columns = [values.tolist() for values in losses.values()]
    for iteration, row in enumerate(zip(*columns, strict=True)):
        writer.writerow([iteration, *(f"{value:.6g}" for value in row)])
    write_atomically(path, buffer.getvalue().encode())


def final_losses(path: Path) -> dict[str, float]:
    """The number of ``iterations``, and each term's mean over the last `FINAL`: ``final_<term>``.

    Empty without a file, or without losses in it.
    """
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    names = [name for name in rows[0] if name != "iteration"]
    last = rows[-FINAL:]
    ends = {f"final_{name}": sum(float(row[name]) for row in last) / len(last) for name in names}
    return {"iterations": len(rows), **ends}
