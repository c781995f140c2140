"""Classifiers that look like some that can't be inverted, and can."""

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator
from tests.naturalinversion.teacher.zoo import Around, Small, ZooModel, trained


class OffInTheDark(Small):
    """Its units are off for images as dark as noise is."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images * F.relu(images.mean(dim=(1, 2, 3), keepdim=True) - 0.5))


class KeepsNothing(Small):
    """A buffer that holds no numbers yet."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.full((2,), float("nan")))


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-10, 10),
    temperature=st.floats(0.2, 20),
    classes=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_logits_are_never_taken_for_probabilities(
    scale: float, shift: float, temperature: float, classes: int, seed: int
) -> None:
    """Whatever their range; a softmax is noticed at any temperature."""
    from naturalinversion.teacher.examination import check_logits

    weights = torch.randn(12, classes, generator=generator(seed))

    def linear(images: Tensor) -> Tensor:
        return images.flatten(1) @ weights * scale + shift

    images = torch.randn(2, 3, 2, 2, generator=generator(1))
    assert check_logits(linear, images, classes).shape == (2, classes)  # type: ignore[arg-type]
    with pytest.raises(TeacherError, match="softmax"):
        check_logits(
            lambda x: (linear(x) / temperature).softmax(1),  # type: ignore[arg-type]
            images,
            classes,
        )


LOGITS: dict[str, Callable[[], nn.Module]] = {
    "gated by a sigmoid": lambda: Around(lambda z: z[:, 4:].sigmoid() * z[:, :4], 8),
    "gated by a softmax": lambda: Around(lambda z: z[:, :4] * z[:, 4:].softmax(1), 8),
    "bounded by a sigmoid": lambda: Around(lambda z: 30 * z.sigmoid() - 15),
    "opposite in pairs": lambda: Around(lambda z: torch.cat([z, -z], 1), 2),
    "centred": lambda: Around(lambda z: z - z.mean(dim=1, keepdim=True)),
    "off where images are dark": OffInTheDark,
}


@pytest.mark.parametrize("name", LOGITS)
def test_what_can_be_inverted_is_not_taken_for_what_can_not(name: str) -> None:
    """No probabilities, and a gradient, though that of their sum or of the first images is zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(LOGITS[name]), **ZooModel(Small).arguments())


def test_a_buffer_that_holds_no_numbers_is_not_taken_for_one_that_is_written() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(KeepsNothing), **ZooModel(Small).arguments())


def test_log_probabilities_are_logits() -> None:
    """A softmax of them gives the same, and so does the cross-entropy."""
    Teacher(trained(lambda: Around(lambda z: z.log_softmax(1))), **ZooModel(Small).arguments())


@pytest.mark.parametrize("name", ["norm called", "norm not called"])
def test_norms_that_do_not_mix_the_images_of_a_batch_may_keep_no_statistics(name: str) -> None:
    """Instance norms, and a batch norm of an auxiliary head."""
    model = trained(Small)
    if name == "norm called":
        model.pool = nn.Sequential(nn.InstanceNorm2d(4), model.pool)  # type: ignore[assignment, arg-type]
    else:
        model.auxiliary = nn.BatchNorm2d(8, track_running_stats=False)  # type: ignore[assignment]
    Teacher(model, **ZooModel(Small).arguments())
