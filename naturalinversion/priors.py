"""The loss terms of all methods, as pure functions named as in the papers.

NaturalInversion (Kim et al., AAAI 2022): Eq. 2 cross-entropy, Eq. 3 `bn_statistics`, Eq. 4
`total_variation` and `l2`. Adaptive DeepInversion (Yin et al., CVPR 2020): `compete`. DAFL (Chen
et al., ICCV 2019): `one_hot`, `information_entropy`, `activation`. DFAD (Fang et al., 2019):
`disagreement`. CMI (Fang et al., IJCAI 2021): `agreeing_divergence`, `contrast`. Knowledge
distillation (Hinton et al., 2015): `distillation`.

Differs from the papers where the official codes do: the norms are neither squared nor averaged and
run over the whole batch, DAFL's entropy uses log10, and ADI's divergence takes the mixture first.

Every term is a scalar, computed in float32 at least: bfloat16 logits have 8 bits, and a softmax
would round them once more. Its gradient is finite wherever its arguments are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_LOG = -1e30  # of a probability; its exponential is 0 anyway


@dataclass(frozen=True)
class LayerStatistics:
    """Moments of one batch norm's input, and its running statistics; four tensors (C,)."""

    mean: Tensor
    variance: Tensor  # biased
    running_mean: Tensor
    running_variance: Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. 2: that of logits (N, K) and labels (N,), the mean over the images."""
    return F.cross_entropy(_at_least_float32(logits), labels)


def bn_statistics(layers: Sequence[LayerStatistics]) -> Tensor:
    """R_BN (Eq. 3): over the layers, the distance of means plus the distance of variances."""
    batch = [layer.mean for layer in layers] + [layer.variance for layer in layers]
    running = [layer.running_mean for layer in layers]
    running += [layer.running_variance for layer in layers]
    return torch.stack(torch._foreach_norm(torch._foreach_sub(batch, running))).sum()


def total_variation(images: Tensor) -> Tensor:
    """R_TV (Eq. 4): norms of the one-pixel differences in four directions, summed.

    ``images`` (N, C, H, W); horizontal, vertical and both diagonals, each one norm of the batch.
    """
    images = _at_least_float32(images)
    differences = (
        images[..., :, :-1] - images[..., :, 1:],
        images[..., :-1, :] - images[..., 1:, :],
        images[..., :-1, :-1] - images[..., 1:, 1:],
        images[..., 1:, :-1] - images[..., :-1, 1:],
    )
    return torch.stack([torch.linalg.vector_norm(d) for d in differences]).sum()


def l2(images: Tensor) -> Tensor:
    """R_l2 (Eq. 4): the norm of the whole batch (N, C, H, W)."""
    norm: Tensor = torch.linalg.vector_norm(_at_least_float32(images))
    return norm


def compete(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 3.0, floor: float = 0.01
) -> Tensor:
    """R_compete of ADI: one minus the clamped disagreement of student and teacher.

    Logits (N, K). ``floor`` clamps every probability to [floor, 1 - floor], as the official code
    does with 0.01; with many classes it should shrink (the recipes use 0.1 / K for 100 classes).
    """
    divergence = compete_divergence(student_logits, teacher_logits, temperature, floor)
    return 1.0 - divergence.clamp(0.0, 1.0)


def compete_divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 3.0, floor: float = 0.01
) -> Tensor:
    """ADI's divergence in nats, batch mean: half KL(M || P) plus half KL(M || Q), M the mixture."""
    student = F.softmax(_at_least_float32(student_logits) / temperature, dim=1)
    teacher = F.softmax(_at_least_float32(teacher_logits) / temperature, dim=1)
    floor = max(floor, torch.finfo(student.dtype).tiny)  # log has no finite gradient at 0
    mixture = ((student + teacher) / 2).clamp(floor, 1 - floor)
    student, teacher = student.clamp(floor, 1 - floor), teacher.clamp(floor, 1 - floor)
    to_student = F.kl_div(student.log(), mixture, reduction="batchmean")
    to_teacher = F.kl_div(teacher.log(), mixture, reduction="batchmean")
    return (to_student + to_teacher) / 2


def one_hot(logits: Tensor) -> Tensor:
    """L_oh of DAFL: cross-entropy of the logits (N, K) against their own argmax."""
    return F.cross_entropy(_at_least_float32(logits), logits.argmax(dim=1))


def information_entropy(logits: Tensor) -> Tensor:
    """L_ie of DAFL: minus the entropy of the batch-mean softmax, in decimal logarithms.

    Computed from the logarithm of the mean, finite where a class's probability rounds to 0.
    """
    log_mean = torch.logsumexp(_log_softmax(logits), dim=0) - math.log(len(logits))
    return (log_mean.exp() * log_mean).sum() / math.log(10.0)


def activation(embedding: Tensor) -> Tensor:
    """L_a of DAFL: minus the mean absolute value of the penultimate features (N, D)."""
    return -_at_least_float32(embedding).abs().mean()


def disagreement(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """DFAD's model discrepancy: mean absolute difference of the logits (N, K)."""
    return F.l1_loss(_at_least_float32(student_logits), _at_least_float32(teacher_logits))


def agreeing_divergence(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """CMI's adversarial term: KL(teacher || student) of the images on whose class they agree.

    Logits (N, K), at temperature 1; the sum is divided by N, however many agree.
    """
    student_logits = _at_least_float32(student_logits)
    teacher_logits = _at_least_float32(teacher_logits)
    teacher, student = _log_softmax(teacher_logits), _log_softmax(student_logits)
    divergences = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)  # (N,)
    agree = student_logits.argmax(dim=1) == teacher_logits.argmax(dim=1)
    return (divergences * agree).mean()


def contrast(anchors: Tensor, others: Tensor, current: int, temperature: float) -> Tensor:
    """CMI's contrastive term: each of the ``anchors`` (N, D) should be nearest to its own row.

    ``others`` (N, D) are the rows they are told from; both have unit length. The first ``current``
    rows are the batch's, the rest come from a memory: each part has a mean of its own.
    """
    anchors, others = _at_least_float32(anchors), _at_least_float32(others)
    targets = torch.arange(len(anchors), device=anchors.device)
    with torch.autocast(anchors.device.type, enabled=False):
        similarity = anchors @ others.T
    losses = F.cross_entropy(similarity / temperature, targets, reduction="none")
    mean = losses[:current].mean()
    return mean + losses[current:].mean() if len(losses) > current else mean


def distillation(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) of the softened predictions, batch mean, without a tau^2 factor."""
    target = _log_softmax(_at_least_float32(teacher_logits) / temperature)
    prediction = _log_softmax(_at_least_float32(student_logits) / temperature)
    return F.kl_div(prediction, target, reduction="batchmean", log_target=True)


def _at_least_float32(values: Tensor) -> Tensor:
    """Narrower types to float32; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def _log_softmax(logits: Tensor) -> Tensor:
    """Over the classes (N, K), clamped: the difference of two finite logits may overflow."""
    logits = _at_least_float32(logits)
    return F.log_softmax(logits, dim=1).clamp_min(MIN_LOG)
