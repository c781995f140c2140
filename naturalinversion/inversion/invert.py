"""The optimisation loop that DeepInversion, ADI and NaturalInversion share (paper, Eq. 1 and 8).

Where the image comes from (free pixels, or a generator with its pyramid) is an `ImageSource`; what
is minimised is an `Objective`. What makes it fast: the teacher is frozen, its statistics come from
the one pass the loss needs, nothing is read back inside the loop, the best iterate is kept as
parameters and rendered once at the end, which gives the same images because a generator's batch
norm uses the batch, and a GPU replays one captured step.

Differs from the official codes: the teacher's weights get no gradient (they were computed and
thrown away), hooks are removed after each pass, and DeepInversion's "best" is what the recipe
says, where the official one is an alias of the last iterate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from naturalinversion.inversion.captured_batches import CapturedBatches
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.jitter import IterationShifts
from naturalinversion.inversion.loss_history import CHECK_EVERY, LossHistory
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import HostShifts, Schedule, Step
from naturalinversion.precision import compute_in

Keep = Literal["best", "last"]


@dataclass(frozen=True)
class InversionResult:
    """Images (N, C, H, W) without jitter, and each loss term over the iterations (E,)."""

    images: Tensor
    losses: dict[str, Tensor]


@dataclass(frozen=True)
class Plateau:
    """Stop when the mean loss of ``window`` iterations fell by less than ``min_decrease``.

    The decrease is relative to the mean of the window before; a window of 0 never stops.
    """

    window: int = 0
    min_decrease: float = 0.01

    def reached(self, history: LossHistory, done: int) -> bool:
        """Whether two whole windows end after ``done`` iterations, and differ by less."""
        due = bool(self.window) and done % self.window == 0 and done >= 2 * self.window
        return due and history.relative_decrease(done, self.window) < self.min_decrease


def invert(
    source: ImageSource,
    objective: Objective,
    draws: Sequence[IterationShifts],
    *,
    keep: Keep,
    schedule: Schedule = "constant",
    plateau: Plateau = Plateau(),
    on_iteration: Callable[[], None] | None = None,
    captured: CapturedBatches | None = None,
) -> InversionResult:
    """Optimise ``source`` for the labels of ``objective``, one iteration per draw.

    ``keep`` selects the iterate that is rendered: the one with the lowest total loss, before its
    step, or the last. ``schedule`` is that of all learning rates. A ``plateau`` may end the loop
    early. ``captured`` keeps a GPU's captured step from one batch to the next. Raises
    `DivergedError` naming term and iteration.
    """
    teacher, best = objective.teacher, keep == "best"
    begun: tuple[Step, Callable[[], None]] | None = None
    if supports_capture(teacher.device) and source.capturable:
        batches = CapturedBatches() if captured is None else captured
        begun = batches.begin(source, objective, draws, best, schedule)
    if begun is None:
        eager = Step(source, objective, HostShifts(draws), len(draws), best, schedule)
        begun = eager, eager
    step, run = begun
    done = 0
    while done < len(draws):
        if source.draws is not None:
            step.source.redraw(source.draws)
        run()
        done += 1
        if on_iteration is not None:
            on_iteration()
        if done % CHECK_EVERY == 0:
            step.history.check_later(done)
        if plateau.reached(step.history, done):
            break
    losses = step.history.to_host(done)
    if step.best is not None:
        step.best.restore()
    with torch.no_grad(), compute_in(teacher.device, teacher.precision):
        if step.source is not source:
            torch._foreach_copy_(source.tensors(), step.source.tensors())
        images = source.render(None).detach()
    return InversionResult(images.to(teacher.dtype), losses)
