"""Loss terms of DAFL, CMI and Fast-DFKD: which are computed, and how they are recorded."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from baselines.dafl import DAFL
from naturalinversion import Batch, Teacher, Training
from naturalinversion.errors import SettingError
from tests.baselines.bank_methods import cmi, fast, make, small_teacher, start
from tests.contract.contract_methods import SMALL
from tests.naturalinversion.teacher.zoo import CLASSES, ZOO, Small, trained

DAFL_TERMS = ("one_hot", "information_entropy", "activation")


class ConvolutionAsHead(Small):
    """Its logits are a mean over a convolution's output: there is no embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Conv2d(4, CLASSES, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.maps(images)).mean(dim=(2, 3))  # type: ignore[no-any-return]


def dafl(teacher: Teacher, **settings: float) -> Batch:
    """A batch after its training."""
    method = DAFL(**{**SMALL["dafl"], **settings})
    method.prepare(teacher, ZOO["plain"].make(), 0, Training())
    return method.batch(torch.arange(8) % 4, 0, lambda done: None)


@pytest.mark.parametrize("off", DAFL_TERMS)
def test_dafls_terms_without_weight_are_not_computed(off: str) -> None:
    found = dafl(small_teacher(), **{off: 0.0}).losses
    assert set(found) == {*DAFL_TERMS, "generator", "student"} - {off}


def test_dafl_without_activation_needs_no_embedding() -> None:
    teacher = Teacher(trained(ConvolutionAsHead), num_classes=CLASSES, image_shape=(3, 16, 16))
    assert "activation" not in dafl(teacher, activation=0.0).losses


@pytest.mark.parametrize(
    ("make_method", "terms"),
    [
        (lambda **off: DAFL(**SMALL["dafl"], **off), DAFL_TERMS),
        (fast, ("cross_entropy", "bn_statistics", "adversarial")),
        (cmi, ("cross_entropy", "bn_statistics", "adversarial", "contrast")),
    ],
    ids=["dafl", "fast", "cmi"],
)
def test_nothing_to_minimise_is_refused(
    make_method: Callable[..., object], terms: tuple[str, ...]
) -> None:
    with pytest.raises(SettingError) as caught:
        make_method(**dict.fromkeys(terms, 0.0))
    assert str(caught.value) == f"{', '.join(terms)} are all 0: nothing to minimise"
    make_method(**dict.fromkeys(terms[1:], 0.0))


def test_an_adversarial_term_alone_has_to_start_at_once() -> None:
    alone = {"cross_entropy": 0.0, "bn_statistics": 0.0}
    fast(**alone, warmup=1)
    with pytest.raises(SettingError, match=r"^cross_entropy, bn_statistics are all 0, and warmup"):
        fast(**alone, warmup=2)


@pytest.mark.parametrize("method", [cmi, fast])
@pytest.mark.parametrize("off", ["cross_entropy", "bn_statistics", "adversarial"])
def test_a_term_of_the_bank_without_weight_is_not_computed(
    method: Callable[..., Any], off: str
) -> None:
    (usual,) = make(start(method(), small_teacher()), 1)
    first, second = make(start(method(**{off: 0.0}), small_teacher()), 2)
    assert set(first.losses) == set(second.losses) == set(usual.losses) - {off}


@pytest.mark.parametrize("method", [cmi, fast])
def test_terms_are_recorded_without_their_weights_and_total_is_their_sum(
    method: Callable[..., Any],
) -> None:
    teacher = small_teacher()
    weights = {"cross_entropy": 0.7, "bn_statistics": 3.0, "adversarial": 0.3}
    (once,) = make(start(method(**weights), teacher), 1)
    (plain,) = make(start(method(**dict.fromkeys(weights, 1.0)), teacher), 1)
    for name in weights:  # of the first step, which no weight has changed yet
        assert once.losses[name][0] == plain.losses[name][0]
    known = weights | ({"contrast": 0.8} if method is cmi else {})
    assert set(once.losses) == {*known, "total"}
    summed = sum(weight * once.losses[name] for name, weight in known.items())
    torch.testing.assert_close(once.losses["total"], summed)
