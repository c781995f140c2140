"""The optimisation loop that DeepInversion, ADI and NaturalInversion share (paper, Eq. 1 and 8).

Where the image comes from (free pixels, or a generator with its pyramid) is an `ImageSource`; what
is minimised is a `Weights`. All speed lives here: the teacher is frozen, its statistics come out of
the one pass the loss needs, nothing is read back inside the loop, and the best iterate is kept as
parameters and rendered once at the end, which gives the same images because a generator's batch
norm uses the batch.

Differs from the official codes: the teacher's weights get no gradient (they were computed and
thrown away), hooks leave with the pass, and DeepInversion's "best" is what the recipe says, where
the official one is an alias of the last iterate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import priors
from naturalinversion.errors import DivergedError
from naturalinversion.jitter import Draws, Shift, shift
from naturalinversion.teacher import Teacher

Keep = Literal["best", "last"]
CHECK_EVERY = 50  # iterations between two looks at whether the loss is still a number


@dataclass(frozen=True)
class Weights:
    """One factor per loss term; a term with factor 0 is not computed."""

    cross_entropy: float = 1.0
    bn_statistics: float = 10.0
    total_variation: float = 0.0
    l2: float = 0.0
    compete: float = 0.0

    def for_batch(self, size: int, reference: int) -> "Weights":
        """The same balance at another batch size.

        Cross-entropy and R_BN pull on one image with 1 / B, the norms R_TV and R_l2 with
        1 / sqrt(B): their factors hold for ``reference`` images. 0 leaves them as they are.
        """
        if not reference:
            return self
        ratio = (reference / size) ** 0.5
        return replace(self, total_variation=self.total_variation * ratio, l2=self.l2 * ratio)


class ImageSource(Protocol):
    """Where images come from, as the loop sees it."""

    def leaves(self) -> list[Tensor]:
        """The tensors that are optimised."""

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimiser over the leaves."""

    def render(self, by: Shift | None) -> Tensor:
        """Images (N, 3, H, W) in teacher space; ``by`` shifts inside the source, None does not."""


@dataclass(frozen=True)
class Inversion:
    """The images (N, 3, H, W), not jittered, and every term's course over the iterations (E,)."""

    images: Tensor
    losses: dict[str, Tensor]


def invert(
    teacher: Teacher,
    source: ImageSource,
    labels: Tensor,
    weights: Weights,
    draws: Sequence[Draws],
    *,
    keep: Keep,
    student: nn.Module | None = None,
    compete_floor: float = 0.01,
    on_iteration: Callable[[], None] | None = None,
) -> Inversion:
    """Optimise ``source`` for one batch of ``labels`` (N,), one iteration per draw.

    ``keep`` says which iterate is rendered: the one with the lowest total loss, before its step, or
    the last. ``student`` is needed when ``weights.compete`` is not 0; it is used as it is, in eval
    mode by its owner. Raises `DivergedError` naming term and iteration.
    """
    optimizer = source.optimizer()
    recorder = _Recorder(len(draws))
    best = _Best(source) if keep == "best" else None
    for iteration, (inside, before_loss) in enumerate(draws):
        optimizer.zero_grad(set_to_none=True)
        images = shift(source.render(inside), before_loss)
        terms = _terms(teacher, images, labels, weights, student, compete_floor)
        total = torch.stack([getattr(weights, n) * t for n, t in terms.items()]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        if best is not None:
            best.consider(total.detach())
        optimizer.step()
        recorder.add(iteration, {**terms, "total": total})
        if on_iteration is not None:
            on_iteration()
    if best is not None:
        best.restore()
    with torch.no_grad():
        return Inversion(source.render(None).detach(), recorder.finish())


def _terms(
    teacher: Teacher,
    images: Tensor,
    labels: Tensor,
    weights: Weights,
    student: nn.Module | None,
    compete_floor: float,
) -> dict[str, Tensor]:
    seen = teacher.observe(images, statistics=weights.bn_statistics != 0)
    terms = {"cross_entropy": F.cross_entropy(seen.logits, labels)}
    if weights.bn_statistics:
        terms["bn_statistics"] = priors.bn_statistics(seen.statistics)
    if weights.total_variation:
        terms["total_variation"] = priors.total_variation(images)
    if weights.l2:
        terms["l2"] = priors.l2(images)
    if weights.compete and student is not None:
        logits = student(images.contiguous(memory_format=torch.channels_last))
        terms["compete"] = priors.compete(logits, seen.logits, floor=compete_floor)
    return terms


class _Best:
    """The parameters at the lowest total loss so far."""

    def __init__(self, source: ImageSource) -> None:
        self.leaves = source.leaves()
        self.kept = [p.detach().clone() for p in self.leaves]
        self.lowest = torch.full((), torch.inf, device=self.kept[0].device)

    def consider(self, total: Tensor) -> None:
        better = total < self.lowest
        if self.lowest.device.type == "cpu":
            if better:
                torch._foreach_copy_(self.kept, [p.detach() for p in self.leaves])
                self.lowest = total
            return
        for kept, parameter in zip(self.kept, self.leaves, strict=True):
            torch.where(better, parameter.detach(), kept, out=kept)
        self.lowest = torch.minimum(total, self.lowest)

    def restore(self) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self.kept)


class _Recorder:
    """The loss terms of every iteration, on the device until the end."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.names: list[str] = []
        self.rows: Tensor | None = None

    def add(self, iteration: int, terms: dict[str, Tensor]) -> None:
        row = torch.stack([term.detach() for term in terms.values()])
        if self.rows is None:
            self.names = list(terms)
            self.rows = row.new_zeros(self.iterations, len(terms))
        self.rows[iteration] = row
        if (iteration + 1) % CHECK_EVERY == 0:
            self._check(self.rows[: iteration + 1])

    def finish(self) -> dict[str, Tensor]:
        if self.rows is None:
            return {}
        self._check(self.rows)
        return dict(zip(self.names, self.rows.cpu().unbind(dim=1), strict=True))

    def _check(self, rows: Tensor) -> None:
        if rows.isfinite().all():
            return
        iteration, column = (~rows.isfinite()).nonzero()[0].tolist()
        value = rows[iteration, column].item()
        raise DivergedError(f"{self.names[column]} became {value} at iteration {iteration}")
