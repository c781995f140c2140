"""What a batch's optimisation leaves behind: the course of its losses and its best iterate."""

import torch
from torch import Tensor

from naturalinversion.errors import DivergedError
from naturalinversion.inversion.cuda_graph import replays


class Course:
    """The loss terms of every iteration, on the device until somebody asks."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.names: list[str] = []
        self.rows = torch.empty(0)  # (E, terms)

    def add(self, iteration: Tensor, terms: dict[str, Tensor]) -> None:
        """Write down the terms of ``iteration`` (1,), a count on the device."""
        row = torch.stack([term.detach() for term in terms.values()])
        if not self.names:
            self.names = list(terms)
            self.rows = row.new_zeros(self.iterations, len(terms))
        self.rows.index_copy_(0, iteration, row[None])

    def check(self, done: int) -> None:
        """Raise `DivergedError`, naming term and iteration, if a loss so far is not a number."""
        rows = self.rows[:done]
        if rows.isfinite().all():
            return
        iteration, column = (~rows.isfinite()).nonzero()[0].tolist()
        value = rows[iteration, column].item()
        raise DivergedError(f"{self.names[column]} became {value} at iteration {iteration}")

    def fall(self, done: int, window: int) -> float:
        """By which share the mean total of the last ``window`` iterations is below that before."""
        total = self.rows[:done, self.names.index("total")]
        before, now = total[-2 * window : -window].mean(), total[-window:].mean()
        return float((before - now) / before.abs())

    def finish(self, done: int) -> dict[str, Tensor]:
        """Each term's course (done,) on the host. Raises as `check` does."""
        self.check(done)
        return dict(zip(self.names, self.rows[:done].cpu().unbind(dim=1), strict=True))


class Best:
    """The parameters at the lowest total loss so far."""

    def __init__(self, leaves: list[Tensor]) -> None:
        self.leaves = leaves
        self.kept = [leaf.detach().clone() for leaf in leaves]
        self.lowest = torch.full((), torch.inf, device=self.kept[0].device)

    def consider(self, total: Tensor) -> None:
        """Keep the leaves as they are if ``total`` is the lowest yet; a GPU is not waited for."""
        better = total < self.lowest
        if not replays(self.lowest.device):
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
