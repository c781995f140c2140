"""One iteration of the optimisation loop, on tensors at fixed addresses.

Nothing is read back from the device, and the index of the iteration is a tensor on it, so that an
iteration can be captured as a CUDA graph and replayed (see `captured_batches`).
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

    def at(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        """Those inside the source and before the loss, of ``iteration`` (1,) on the device."""


class HostShifts:
    """Shifts with offsets known to the host, one iteration after another."""

    def __init__(self, draws: Sequence[IterationShifts]) -> None:
        self._next: Iterator[IterationShifts] = iter(draws)

    def at(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        return next(self._next)


class DeviceShifts:
    """Shifts that the device looks up in tables, by the index of the iteration."""

    def __init__(
        self, draws: Sequence[IterationShifts], size: tuple[int, int], device: torch.device
    ) -> None:
        self._inside = ShiftTable([draw.source for draw in draws], size, device)
        self._before_loss = ShiftTable([draw.loss for draw in draws], size, device)

    def at(self, iteration: Tensor) -> tuple[ImageTransform, ImageTransform]:
        return self._inside.at(iteration), self._before_loss.at(iteration)

    def refill(self, draws: Sequence[IterationShifts]) -> None:
        """Copy the shifts of another batch into the same tensors."""
        self._inside.refill([draw.source for draw in draws])
        self._before_loss.refill([draw.loss for draw in draws])


class BestIterate:
    """Copies of the parameters at the lowest total loss so far."""

    def __init__(self, leaves: list[Tensor]) -> None:
        self.leaves = leaves
        self.copies = [leaf.detach().clone() for leaf in leaves]
        self.lowest = torch.full((), torch.inf, device=self.copies[0].device)

    def restart(self) -> None:
        """Start from the current leaves, in the same tensors."""
        with torch.no_grad():
            torch._foreach_copy_(self.copies, self.leaves)
        self.lowest.fill_(torch.inf)

    def update(self, total: Tensor) -> None:
        """Copy the leaves if ``total``, a scalar, is the lowest so far; does not wait for a GPU."""
        better = total < self.lowest
        if not supports_capture(self.lowest.device):
            if better:
                torch._foreach_copy_(self.copies, [leaf.detach() for leaf in self.leaves])
                self.lowest.copy_(total)
            return
        for copy, leaf in zip(self.copies, self.leaves, strict=True):
            torch.where(better, leaf.detach(), copy, out=copy)
        self.lowest.copy_(torch.where(better, total, self.lowest))

    def restore(self) -> None:
        """Set the leaves to the best iterate."""
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self.copies)


class Step:
    """One call is one iteration, at most ``iterations`` times; fills ``history`` and ``best``."""

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
        self._rates: list[tuple[Tensor, Tensor]] = []  # rate of each group, its values (E,)
        if schedule == "cosine":
            self._schedule(iterations)

    def __call__(self) -> None:
        inside, before_loss = self.shifts.at(self.iteration)
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
        """The tensors that a call updates."""
        best = [] if self.best is None else [*self.best.copies, self.best.lowest]
        optimised = [*self.source.tensors(), *state_of(self.optimizer)]
        return [*optimised, *best, self.history.rows, self.iteration]

    def restart(self) -> None:
        """Reset to before the first iteration, in the same tensors; the source is not changed."""
        for moment in state_of(self.optimizer):
            moment.zero_()
        if self.best is not None:
            self.best.restart()
        self.history.restart()
        self.iteration.zero_()

    def _schedule(self, iterations: int) -> None:
        """Half a cosine from each group's learning rate to 0."""
        angle = (torch.arange(iterations, dtype=torch.float64) + 0.5) * (math.pi / iterations)
        factors = (1 + angle.cos()) / 2
        for group in self.optimizer.param_groups:
            table = (factors * group["lr"]).float().to(self.device)
            group["lr"] = table[0].clone()
            self._rates.append((group["lr"], table))
