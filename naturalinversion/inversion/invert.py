"""The optimisation loop that DeepInversion, ADI and NaturalInversion share (paper, Eq. 1 and 8).

Where the image comes from (free pixels, or a generator with its pyramid) is an `ImageSource`; what
is minimised is an `Objective`. All speed lives here: the teacher is frozen, its statistics come out
of the one pass the loss needs, nothing is read back inside the loop, the best iterate is kept as
parameters and rendered once at the end, which gives the same images because a generator's batch
norm uses the batch, and a GPU repeats one captured step.

Differs from the official codes: the teacher's weights get no gradient (they were computed and
thrown away), hooks leave with the pass, and DeepInversion's "best" is what the recipe says, where
the official one is an alias of the last iterate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import Replay, replays
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.jitter import Draws
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import DeviceMoves, HostMoves, Moves, Schedule, Step
from naturalinversion.precision import numerics

Keep = Literal["best", "last"]
CHECK_EVERY = 50  # iterations between two looks at whether the loss is still a number, on a CPU


@dataclass(frozen=True)
class Inversion:
    """The images (N, 3, H, W), not jittered, and every term's course over the iterations (E,)."""

    images: Tensor
    losses: dict[str, Tensor]


@dataclass(frozen=True)
class Plateau:
    """Stop when the mean loss of ``window`` iterations is not ``least_fall`` below the one before.

    A window of 0 never stops.
    """

    window: int = 0
    least_fall: float = 0.01

    def due(self, done: int) -> bool:
        """Whether two whole windows are there to compare."""
        return bool(self.window) and done % self.window == 0 and done >= 2 * self.window


def invert(
    source: ImageSource,
    objective: Objective,
    draws: Sequence[Draws],
    *,
    keep: Keep,
    schedule: Schedule = "constant",
    plateau: Plateau = Plateau(),
    on_iteration: Callable[[], None] | None = None,
) -> Inversion:
    """Optimise ``source`` for the labels of ``objective``, one iteration per draw.

    ``keep`` says which iterate is rendered: the one with the lowest total loss, before its step, or
    the last. ``schedule`` is that of all learning rates. With a ``plateau`` the loop may end before
    the draws do. Raises `DivergedError` naming term and iteration.
    """
    device = objective.teacher.device
    repeated = replays(device) and source.repeats
    size = (objective.teacher.image_shape[1], objective.teacher.image_shape[2])
    moves: Moves = DeviceMoves(draws, size, device) if repeated else HostMoves(draws)
    best = keep == "best"
    step = Step(source, objective, moves, len(draws), keep_best=best, schedule=schedule)
    run = Replay(step, device) if repeated else step
    done = 0
    while done < len(draws):
        run()
        done += 1
        if on_iteration is not None:
            on_iteration()
        if not replays(device) and done % CHECK_EVERY == 0:
            step.course.check(done)
        if plateau.due(done) and step.course.fall(done, plateau.window) < plateau.least_fall:
            break
    losses = step.course.finish(done)
    if step.best is not None:
        step.best.restore()
    with torch.no_grad(), numerics(device, objective.teacher.precision):
        images = source.render(None).detach()
    return Inversion(images.to(objective.teacher.dtype), losses)
