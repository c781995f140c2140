"""The losses of an optimisation over its iterations, and its best iterate."""

from collections.abc import Sequence

import torch
from torch import Tensor

from naturalinversion.errors import DivergedError
from naturalinversion.inversion.cuda_graph import supports_capture

CHECK_EVERY = 50  # iterations between two calls of `LossHistory.watch`
LOOK_BEHIND = 200  # iterations between copying a GPU's losses and checking them


class LossHistory:
    """The loss terms (E, terms) of E iterations, kept on the device; `to_host` copies them."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.names: list[str] = []
        self.rows = torch.empty(0)  # (E, terms)
        self.restart()

    def restart(self) -> None:
        """Clear the history in place: a captured step keeps writing to the same tensors."""
        self.rows.zero_()
        self._copied: tuple[int, Tensor, torch.cuda.Event] | None = None
        self._watched = 0

    def resume(self, names: Sequence[str], rows: Tensor) -> None:
        """Begin with the ``rows`` (done, terms) of an interrupted run."""
        self.names = list(names)
        self.rows = rows.new_zeros(self.iterations, len(names))
        self.rows[: len(rows)] = rows
        self._watched = len(rows)

    def append(self, iteration: Tensor, terms: dict[str, Tensor]) -> None:
        """Store the terms of ``iteration`` (1,), an index on the device."""
        row = torch.stack([term.detach() for term in terms.values()])
        if not self.names:
            self.names = list(terms)
            self.rows = row.new_zeros(self.iterations, len(terms))
        self.rows.index_copy_(0, iteration, row[None])

    def watch(self, done: int) -> None:
        """As `check`, but without waiting for a GPU: its losses are checked `LOOK_BEHIND` later.

        They are copied while it goes on, so the host is never further ahead than twice as many.
        """
        if not supports_capture(self.rows.device):
            self.check(done)
        elif done - self._watched >= LOOK_BEHIND:
            with torch.cuda.device(self.rows.device):
                self._look_behind(done)

    def check(self, done: int) -> None:
        """Raise `DivergedError`, naming term and iteration, if a loss so far is not a number."""
        self._refuse(self.rows[:done], 0)

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

    def _look_behind(self, done: int) -> None:
        """Check what was copied the last time, and copy what has come since, to pinned memory."""
        if self._copied is not None:
            start, rows, arrived = self._copied
            arrived.synchronize()
            self._refuse(rows, start)
        rows = self.rows[self._watched : done].to("cpu", non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        self._copied = self._watched, rows, arrived
        self._watched = done

    def _refuse(self, rows: Tensor, start: int) -> None:
        """``rows`` (iterations, terms) from iteration ``start`` on, unless all are numbers."""
        if rows.isfinite().all():
            return
        iteration, column = (~rows.isfinite()).nonzero()[0].tolist()
        value = rows[iteration, column].item()
        raise DivergedError(f"{self.names[column]} became {value} at iteration {start + iteration}")


class BestIterate:
    """The parameters at the lowest total loss so far."""

    def __init__(self, leaves: list[Tensor]) -> None:
        self.leaves = leaves
        self.kept = [leaf.detach().clone() for leaf in leaves]
        self.lowest = torch.full((), torch.inf, device=self.kept[0].device)

    def restart(self) -> None:
        """Forget the iterates so far, in the same tensors."""
        with torch.no_grad():
            torch._foreach_copy_(self.kept, self.leaves)
        self.lowest.fill_(torch.inf)

    def update(self, total: Tensor) -> None:
        """Keep the leaves as they are if ``total`` is the lowest yet; a GPU is not waited for."""
        better = total < self.lowest
        if not supports_capture(self.lowest.device):
            if better:
                torch._foreach_copy_(self.kept, [leaf.detach() for leaf in self.leaves])
                self.lowest.copy_(total)
            return
        for kept, leaf in zip(self.kept, self.leaves, strict=True):
            torch.where(better, leaf.detach(), kept, out=kept)
        self.lowest.copy_(torch.where(better, total, self.lowest))

    def restore(self) -> None:
        """Put the leaves back to what they were then."""
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self.kept)
