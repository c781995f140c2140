"""The loss of a batch of images under the teacher (NaturalInversion, Eq. 1 and 8)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from naturalinversion import priors
from naturalinversion.errors import SettingError
from naturalinversion.loss_weights import weighted_sum
from naturalinversion.teacher.teacher import Teacher


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

        The gradient of one image scales with 1 / B for cross-entropy and R_BN, but with
        1 / sqrt(B) for the norms R_TV and R_l2, whose factors are for ``reference`` images. 0
        leaves them as they are.
        """
        if not reference:
            return self
        ratio = (reference / size) ** 0.5
        return replace(self, total_variation=self.total_variation * ratio, l2=self.l2 * ratio)


@dataclass(frozen=True)
class Objective:
    """The loss of images for ``labels`` (N,), term by term.

    ``student`` (images to logits, in eval mode) is needed when ``weights.compete`` is not 0:
    `SettingError` without. ``compete_floor`` is the floor of `priors.compete`.
    """

    teacher: Teacher
    labels: Tensor
    weights: Weights
    student: Callable[[Tensor], Tensor] | None = None
    compete_floor: float = 0.01

    def __post_init__(self) -> None:
        if self.weights.compete and self.student is None:
            raise SettingError(f"compete is {self.weights.compete:g}, and there is no student")

    def terms(self, images: Tensor) -> dict[str, Tensor]:
        """Unweighted terms with a non-zero weight, of images (N, C, H, W) in teacher space."""
        weights = self.weights
        observation = self.teacher.observe(images, statistics=weights.bn_statistics != 0)
        terms: dict[str, Tensor] = {}
        if weights.cross_entropy:
            terms["cross_entropy"] = priors.cross_entropy(observation.logits, self.labels)
        if weights.bn_statistics:
            terms["bn_statistics"] = observation.bn_statistics()
        if weights.total_variation:
            terms["total_variation"] = priors.total_variation(images)
        if weights.l2:
            terms["l2"] = priors.l2(images)
        if weights.compete:
            assert self.student is not None
            logits = self.student(images.contiguous(memory_format=torch.channels_last))
            terms["compete"] = priors.compete(logits, observation.logits, floor=self.compete_floor)
        return terms

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of ``terms``, a scalar."""
        return weighted_sum(self.weights, terms)
