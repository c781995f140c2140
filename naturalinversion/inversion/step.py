"""One iteration of the optimisation loop, on tensors that stay where they are.

Nothing in it asks the device for a number, and the iteration's own number lies on the device, so
that a GPU can capture one iteration and repeat it by itself (see `captured_batches`).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.jitter import ImageTransform, IterationShifts, ShiftTable
from naturalinversion.inversion.loss_history import LossHistory
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.optimizers import state_of
from naturalinversion.precision import compute_in

Schedule = Literal["constant", "cosine"]


class ShiftSource(Protocol):
    """The shifts of each iteration in turn."""

    def of(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        """Inside the source and before the loss; ``iteration`` (1,) counts on the device."""


class HostShifts:
    """Shifts by numbers that the host knows, one iteration after another."""

    def __init__(self, draws: Sequence[IterationShifts]) -> None:
        self._next: Iterator[IterationShifts] = iter(draws)

    def of(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        return next(self._next)


class DeviceShifts:
    """Shifts that the device looks up."""

    def __init__(
        self, draws: Sequence[IterationShifts], size: tuple[int, int], device: torch.device
    ) -> None:
        self._inside = ShiftTable([draw.source for draw in draws], size, device)
        self._before_loss = ShiftTable([draw.loss for draw in draws], size, device)

    def of(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        return self._inside.at(iteration), self._before_loss.at(iteration)

    def refill(self, draws: Sequence[IterationShifts]) -> None:
        """Those of another batch, in the same tensors."""
        self._inside.refill([draw.source for draw in draws])
        self._before_loss.refill([draw.loss for draw in draws])


class BestIterate:
    """Copies of the parameters at the lowest total loss so far."""

    def __init__(self, leaves: list[Tensor]) -> None:
        self.leaves = leaves
        self.kept = [leaf.detach().clone() for leaf in leaves]
        self.lowest = torch.full((), torch.inf, device=self.kept[0].device)

    def restart(self) -> None:
        """Start from the current leaves, in the same tensors."""
        with torch.no_grad():
            torch._foreach_copy_(self.kept, self.leaves)
        self.lowest.fill_(torch.inf)

    def update(self, total: Tensor) -> None:
        """Copy the leaves if ``total``, a scalar, is the lowest so far; does not wait for a GPU."""
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
        """Set the leaves to the best iterate."""
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self.kept)


class Step:
    """Render, observe, step; ``history`` and ``best`` fill up, in ``iterations`` calls at most."""

    def __init__(
        self,
        source: ImageSource,
        objective: Objective,
        shifts: ShiftSource,
        iterations: int,
        keep_best: bool,
        schedule: Schedule = "constant",
    ) -> None:
        teacher = objective.teacher
        self.source, self.objective, self.shifts = source, objective, shifts
        self.device, self.precision = teacher.device, teacher.precision
        self.optimizer = source.optimizer()
        self.history = LossHistory(iterations)
        self.best = BestIterate(source.leaves()) if keep_best else None
        self.iteration = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._rates: list[tuple[Tensor, Tensor]] = []  # each group's rate, and its table (E,)
        if schedule == "cosine":
            self._schedule(iterations)

    def __call__(self) -> None:
        inside, before_loss = self.shifts.of(self.iteration)
        for rate, table in self._rates:
            rate.copy_(table.index_select(0, self.iteration).squeeze(0))
        self.optimizer.zero_grad(set_to_none=True)
        with compute_in(self.device, self.precision):
            images = before_loss(self.source.render(inside))
            terms = self.objective.terms(images)
            total = self.objective.total(terms)
            total.backward()  # type: ignore[no-untyped-call]
        if self.best is not None:
            self.best.update(total.detach())
        self.optimizer.step()
        self.history.append(self.iteration, {**terms, "total": total})
        self.iteration.add_(1)

    def state(self) -> list[Tensor]:
        """The tensors that a call goes on from."""
        kept = [] if self.best is None else [*self.best.kept, self.best.lowest]
        optimised = [*self.source.tensors(), *state_of(self.optimizer)]
        return [*optimised, *kept, self.history.rows, self.iteration]

    def restart(self) -> None:
        """Back to before the first iteration, in the same tensors, from the source as it is now."""
        for moment in state_of(self.optimizer):
            moment.zero_()
        if self.best is not None:
            self.best.restart()
        self.history.restart()
        self.iteration.zero_()

    def _schedule(self, iterations: int) -> None:
        """Half a cosine from each group's learning rate to nothing."""
        turn = (torch.arange(iterations, dtype=torch.float64) + 0.5) * (math.pi / iterations)
        factors = (1 + turn.cos()) / 2
        for group in self.optimizer.param_groups:
            table = (factors * group["lr"]).float().to(self.device)
            group["lr"] = table[0].clone()
            self._rates.append((group["lr"], table))
