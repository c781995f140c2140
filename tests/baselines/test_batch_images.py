"""CMI and Fast-DFKD: how a batch's generator and latents are optimised, and on which views."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines.bank_student import BankStudent
from baselines.batch_images import BatchImages
from baselines.image_bank import ImageBank
from naturalinversion.progress import silent
from tests.baselines.bank_methods import cmi, fast, small_teacher, start, student

STEPS, LABELS = 5, torch.arange(64) % 4
PICTURE = (
    torch.linspace(1.0, 0.5, 16).expand(len(LABELS), 3, 16, 16).clone()
)  # brighter to the left


@pytest.mark.parametrize("make_method", [cmi, fast])
def test_a_batchs_generator_and_latents_are_moved_by_adam_each_at_its_rate(
    make_method: Callable[..., Any],
) -> None:
    """Two steps of betas 0.5 and 0.999, the second against the first and with twice the gradient.

    The first moves every value by its rate; the second by (2 - b1) / (1 + b1) of it, which is once,
    over the root of (4 + b2) / (1 + b2).
    """
    rates = {"rate_generator": 1e-3, "rate_latent": 1e-2}
    method = start(make_method(**rates), small_teacher())
    made = method.images(0, torch.randn(8, 8), seed=0)
    learned = [(made.latents, 1e-2), *((p, 1e-3) for p in made.network.parameters())]
    for slope, moves in ((1.0, -1.0), (-2.0, math.sqrt(1.999 / 4.999))):
        before = [value.detach().clone() for value, _ in learned]
        total = torch.stack([slope * value.sum() for value, _ in learned]).sum()
        made.step(total, last=slope < 0)
        for old, (value, rate) in zip(before, learned, strict=True):
            moved = torch.full_like(old, moves * rate)
            torch.testing.assert_close(value.detach() - old, moved, rtol=2e-3, atol=1e-6)


class Still(nn.Module):
    """A generator that makes the picture, whatever its weight and the latents."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, latents: Tensor) -> Tensor:
        return PICTURE + self.weight * latents.sum()


def watch(network: nn.Module) -> list[Tensor]:
    """The images that it will have been given, batch by batch."""
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach().clone()))
    return seen


def check_views(views: Tensor, crop: int, flip: bool) -> None:
    """Crops of the picture from ``crop`` black pixels around it, each as often; half mirrored."""

    def within(found: int, share: float) -> bool:
        """At most five standard deviations off."""
        return abs(found - count * share) <= 5 * math.sqrt(count * share * (1 - share))

    count = len(views)
    mirrored = views[:, 0, 8, 4] < views[:, 0, 8, 11]
    assert within(int(mirrored.sum()), 0.5 if flip else 0.0)
    for dim in (2, 3):
        other = 5 - dim
        outside = (views.sum(dim=1) < 0.1).all(dim=other - 1)  # (N, 16), of rows or columns
        shift = outside[:, :8].sum(dim=1) - outside[:, 8:].sum(dim=1)
        assert shift.abs().max() <= crop
        for number in range(-crop, crop + 1):
            assert within(int((shift == number).sum()), 1 / (2 * crop + 1)), (dim, number)


@pytest.mark.parametrize(("crop", "flip"), [(4, True), (0, True), (2, False)])
def test_student_and_teacher_see_crops_and_mirror_images_of_the_bank(crop: int, flip: bool) -> None:
    teacher = small_teacher()
    bank = ImageBank(teacher, 1)
    bank.append(PICTURE, truncate=True)
    settings = fast(student_steps=STEPS, student_batch=len(PICTURE), crop=crop, flip=flip)
    learner = BankStudent(teacher, student(), settings)
    by_student, by_teacher = watch(learner.network), watch(teacher.model)
    learner.train(bank, 0, 0, silent)
    assert torch.equal(torch.cat(by_student), torch.cat(by_teacher))
    check_views(teacher.denormalize(torch.cat(by_student)), crop, flip)


@pytest.mark.parametrize("make_method", [cmi, fast])
@pytest.mark.parametrize(("crop", "flip"), [(4, True), (0, True), (2, False)])
def test_terms_are_on_crops_and_mirror_images_of_the_batch(
    make_method: Callable[..., Any], crop: int, flip: bool
) -> None:
    teacher = small_teacher()
    made = make_method(inner_steps=STEPS, student_steps=0, crop=crop, flip=flip)
    method = start(made, teacher)
    method.images = lambda number, latents, seed: BatchImages(  # type: ignore[method-assign]
        Still(), latents, (0.0, 0.0)
    )
    by_student, by_teacher = watch(method._student.network), watch(teacher.model)
    method.batch(LABELS, 0, silent)
    assert len(by_teacher) == STEPS
    assert torch.equal(torch.cat(by_student), torch.cat(by_teacher))
    check_views(teacher.denormalize(torch.cat(by_teacher)), crop, flip)
