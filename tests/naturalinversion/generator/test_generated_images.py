"""Images of generator, pyramid and channel scale: ranges, gradients, shifts, labels and latents."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.generated_images import GeneratedImages
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.inversion.jitter import Shift
from naturalinversion.seeds import generator, seeded

MakeTeacher = Callable[..., Teacher]
LABELS = torch.arange(8) % 4


def source(
    teacher: Teacher, *, pyramid: bool = True, scale: bool = True, **more: Any
) -> GeneratedImages:
    with seeded(5):
        size = teacher.image_shape[-1]
        return GeneratedImages(
            teacher,
            ConditionalGenerator(4, latent=8, image_size=size, width=0.1),
            FeatureTransferPyramid(teacher.stages, size) if pyramid else None,
            torch.randn(8, 3, 1, 1) + 5 if scale else 1.0,
            latent=torch.randn(8, 8),
            labels=LABELS,
            rates=(1e-3, 5e-4, 0.05),
            output_head=None if pyramid or not scale else nn.Tanh(),
            **more,
        )


@pytest.mark.parametrize("pyramid", [True, False])
def test_no_pixel_is_larger_than_its_channels_scale(
    pyramid: bool, make_teacher: MakeTeacher
) -> None:
    images = source(make_teacher(), pyramid=pyramid)
    assert images.scale is not None
    with torch.no_grad():
        images.generator.body[-1].weight.mul_(50)  # far into the tanh
        pixels = images.render(None)
        assert (pixels.abs() <= images.scale.abs()).all()
        assert pixels.abs().amax() > 1, "the scale stretches beyond the tanh"


def test_without_scale_pixels_stay_within_one_and_without_both_they_are_the_generators(
    make_teacher: MakeTeacher,
) -> None:
    teacher = make_teacher()
    with torch.no_grad():
        assert source(teacher, scale=False).render(None).abs().amax() <= 1
        bare = source(teacher, pyramid=False, scale=False)
        assert torch.equal(bare.render(None), bare.generator(bare.latent, bare.one_hot))
    assert not any("scale" in name for name, _ in bare.named_parameters())


class Spy(nn.Module):
    """A pyramid that remembers what it was given."""

    def __init__(self, inner: FeatureTransferPyramid) -> None:
        super().__init__()
        self.inner = inner
        self.maps: Sequence[Tensor] = ()
        self.image: Tensor | None = None

    def forward(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        self.image, self.maps = images, maps
        enhanced: Tensor = self.inner(images, maps)
        return enhanced


@pytest.mark.parametrize("feature_gradient", [False, True])
def test_features_are_constants_unless_asked_for(
    feature_gradient: bool, make_teacher: MakeTeacher
) -> None:
    images = source(make_teacher(), feature_gradient=feature_gradient)
    assert images.pyramid is not None
    spy = Spy(images.pyramid)
    images.pyramid = spy  # type: ignore[assignment]
    images.render(Shift(1, -1, True))
    assert spy.image is not None
    assert spy.image.requires_grad
    assert len(spy.maps) == 4
    assert {m.requires_grad for m in spy.maps} == {feature_gradient}


def test_generator_pyramid_and_scale_all_learn(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    images = source(teacher)
    assert images.pyramid is not None
    assert images.scale is not None
    F.cross_entropy(teacher(images.render(Shift(1, -1))), LABELS).backward()

    def slope(parameter: Tensor) -> float:
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        return parameter.grad.abs().sum().item()

    for name, parameter in images.pyramid.named_parameters():
        assert slope(parameter) > 0, name
    for name, parameter in images.generator.named_parameters():
        if name.endswith("weight"):
            assert slope(parameter) > 0, name
    assert (images.scale.grad != 0).all(), "every image and channel has a scale of its own"
    optimised = {id(p) for group in images.optimizer().param_groups for p in group["params"]}
    assert optimised == {id(p) for p in images.leaves()}
    assert all(p.grad is None for p in teacher.model.parameters())


def test_the_image_shift_before_the_pyramid_moves_the_generators_image(
    make_teacher: MakeTeacher,
) -> None:
    bare = source(make_teacher(), pyramid=False, scale=False)
    with torch.no_grad():
        still, moved = bare.render(None), bare.render(Shift(1, 2))
        mirrored = bare.render(Shift(0, 0, True))
    assert torch.equal(moved, still.roll((1, 2), (2, 3)))
    assert torch.equal(mirrored, still.flip(3))


def test_labels_reach_the_generator(make_teacher: MakeTeacher) -> None:
    images = source(make_teacher(), pyramid=False, scale=False)
    with torch.no_grad():
        before = images.render(None)
        images.one_hot = images.one_hot.roll(1, 0)
        assert not torch.equal(images.render(None), before)


def test_latents_are_drawn_anew_into_the_tensor_that_a_captured_step_reads(
    make_teacher: MakeTeacher,
) -> None:
    shared = source(make_teacher(), pyramid=False, scale=False, draws=generator(1))
    assert shared.draws is not None
    latent = shared.latent
    with torch.no_grad():
        first = shared.render(Shift(0, 0))
        assert torch.equal(first, shared.render(Shift(0, 0)))
        shared.redraw(shared.draws)
        assert shared.latent is latent
        assert not torch.equal(first, shared.render(Shift(0, 0)))
    assert torch.equal(latent, torch.randn(latent.shape, generator=generator(1)))
