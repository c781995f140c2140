"""The loss terms: their zeros, their gradients there, and how they grow with the images."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from naturalinversion import Teacher, priors
from naturalinversion.priors import LayerStatistics
from naturalinversion.seeds import generator


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


class OneNorm(nn.Module):
    """The first layer is a batch norm, so its statistics are those of the images."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(images).mean(dim=(2, 3)))
        return logits


def remembering(images: Tensor) -> Teacher:
    """A teacher whose running statistics are exactly those of ``images``."""
    model = OneNorm().double()
    variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
    model.norm.running_mean = mean
    model.norm.running_var = variance
    return Teacher(model, num_classes=2, image_shape=(3, 8, 8))


def test_bn_statistics_vanish_on_the_images_remembered_with_a_finite_gradient() -> None:
    images = noise(4, 3, 8, 8)
    teacher = remembering(images)
    images.requires_grad_()
    loss = priors.bn_statistics(teacher.observe(images, statistics=True).statistics)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert images.grad is not None
    assert images.grad.isfinite().all()


def test_bn_statistics_are_distances_of_means_and_of_biased_variances() -> None:
    images = noise(4, 3, 8, 8)
    teacher = remembering(images)
    observed = teacher.observe(2 * images + 5, statistics=True).statistics
    variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
    expected = (mean + 5).norm() + (3 * variance).norm()
    torch.testing.assert_close(priors.bn_statistics(observed), expected)


def test_bn_statistics_add_up_over_layers() -> None:
    zero, one = torch.zeros(4), torch.ones(4)
    layer = LayerStatistics(one, one, zero, zero)  # two norms of 2 each
    assert priors.bn_statistics([layer, layer, layer]).item() == 12.0


@pytest.mark.parametrize("term", [priors.total_variation, priors.l2])
def test_image_norms_are_neither_squared_nor_averaged(term: object) -> None:
    assert callable(term)
    images = noise(3, 3, 8, 8)
    once = term(images)
    assert once > 0
    torch.testing.assert_close(term(3 * images), 3 * once)
    torch.testing.assert_close(term(torch.cat([images] * 4)), 2 * once)


def test_image_norms_by_hand() -> None:
    stripes = torch.tensor([[0.0, 2.0], [0.0, 2.0]]).view(1, 1, 2, 2)
    # two horizontal differences of 2, none vertical, one of 2 on each diagonal
    assert priors.total_variation(stripes).item() == pytest.approx(math.sqrt(8) + 0 + 2 + 2)
    assert priors.l2(stripes).item() == pytest.approx(math.sqrt(8))


def test_total_variation_of_a_flat_image_is_zero_with_a_finite_gradient() -> None:
    flat = torch.full((2, 3, 8, 8), 0.7, requires_grad=True)
    loss = priors.total_variation(flat)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_a_student_that_agrees_gets_the_full_penalty(classes: int) -> None:
    logits = 5 * noise(6, classes)
    assert priors.compete(logits, logits).item() == 1.0
    assert priors.disagreement(logits, logits).item() == 0.0
    assert priors.distillation(logits, logits, 3.0).item() == pytest.approx(0.0, abs=1e-12)


def test_compete_falls_with_disagreement_and_stays_between_zero_and_one() -> None:
    teacher = 2 * noise(6, 10)
    history = [
        priors.compete(teacher.roll(1, 1) * k, teacher * k).item() for k in (0.1, 1.0, 100.0)
    ]
    assert history == sorted(history, reverse=True)
    assert history[0] < 1.0
    assert history[-1] == 0.0


def test_dafl_terms_at_their_extremes() -> None:
    sure = 100 * torch.eye(10)
    assert priors.one_hot(sure).item() == pytest.approx(0.0, abs=1e-6)
    assert priors.one_hot(torch.zeros(4, 10)).item() == pytest.approx(math.log(10))
    assert priors.information_entropy(sure).item() == pytest.approx(-1.0), "balanced answers"
    assert priors.information_entropy(sure[:1]).item() == pytest.approx(0.0, abs=1e-6)
    assert priors.activation(torch.tensor([[1.0, -3.0]])).item() == -2.0


def test_disagreement_is_the_mean_over_all_logits() -> None:
    assert priors.disagreement(torch.zeros(2, 4), torch.tensor([[2.0] * 4, [0.0] * 4])).item() == 1


def test_distillation_is_kl_from_the_teacher_per_image() -> None:
    teacher = torch.tensor([[math.log(3.0), 0.0]] * 2)
    student = torch.zeros(2, 2)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert priors.distillation(student, teacher, 1.0).item() == pytest.approx(expected, rel=1e-5)


OF_LOGITS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "compete": priors.compete,
    "compete without a floor": lambda one, other: priors.compete(one, other, floor=0.0),
    "divergence": lambda one, other: priors.compete_divergence(one, other, floor=0.0),
    "one_hot": lambda one, other: priors.one_hot(one),
    "information_entropy": lambda one, other: priors.information_entropy(one),
    "activation": lambda one, other: priors.activation(one),
    "disagreement": priors.disagreement,
    "distillation": lambda one, other: priors.distillation(one, other, 1.0),
    "distillation, soft": lambda one, other: priors.distillation(one, other, 20.0),
}
EXTREMES = [1e4, 1e30]  # float32 ends at 3e38


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, *EXTREMES])
@pytest.mark.parametrize("name", OF_LOGITS)
def test_terms_and_their_gradients_are_finite_for_finite_logits(
    name: str, size: float, dtype: torch.dtype
) -> None:
    spread = [size * (2 * torch.rand(8, 10, generator=generator(i)) - 1) for i in (0, 1)]
    spread[0][:, 3] = -size  # a class that nobody takes
    spread[1][:, 4] = spread[0][:, 3]
    one, other = (each.to(dtype).requires_grad_() for each in spread)
    term = OF_LOGITS[name](one, other)
    assert term.isfinite()
    assert term.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    term.backward()  # type: ignore[no-untyped-call]
    for leaf in (one, other):
        assert leaf.grad is None or leaf.grad.isfinite().all()
    assert one.grad is not None


def test_a_class_that_nobody_takes_does_not_spoil_the_entropy() -> None:
    """Its probability is 0 in float32; that of the others pulls on."""
    logits = torch.tensor([[0.0, 1.0, -200.0], [2.0, 0.0, -300.0]], requires_grad=True)
    loss = priors.information_entropy(logits)
    loss.backward()  # type: ignore[no-untyped-call]
    two = logits.detach()[:, :2].double().requires_grad_()
    mean = two.softmax(dim=1).mean(dim=0)
    expected = (mean * mean.log10()).sum()
    expected.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert logits.grad is not None
    assert two.grad is not None
    torch.testing.assert_close(logits.grad[:, :2].double(), two.grad, rtol=1e-5, atol=1e-8)
    assert (logits.grad[:, 2] == 0).all()


@pytest.mark.parametrize("name", OF_LOGITS)
def test_logits_in_bf16_are_not_rounded_again(name: str) -> None:
    """What is lost is lost before: the term is that of the same logits in float64."""
    logits = [(4 * noise(32, 10, seed=seed)).bfloat16() for seed in (0, 1)]
    found = OF_LOGITS[name](logits[0], logits[1])
    expected = OF_LOGITS[name](logits[0].double(), logits[1].double())
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("term", [priors.total_variation, priors.l2])
def test_image_norms_in_bf16_are_not_rounded_again(term: Callable[[Tensor], Tensor]) -> None:
    images = (3 + 0.1 * noise(4, 3, 8, 8)).bfloat16()
    assert term(images).item() == pytest.approx(term(images.double()).item(), rel=1e-5)
    assert term(images.double()).dtype == torch.float64


@pytest.mark.parametrize("term", [priors.total_variation, priors.l2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_image_norms_of_nothing_have_no_slope(
    term: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    black = torch.zeros(2, 3, 8, 8, dtype=dtype, requires_grad=True)
    term(black).backward()  # type: ignore[no-untyped-call]
    assert black.grad is not None
    assert (black.grad == 0).all()


def test_bn_statistics_of_a_layer_at_no_distance_have_no_slope() -> None:
    there, away = (torch.ones(4, requires_grad=True) for _ in range(2))
    one, zero = torch.ones(4), torch.zeros(4)
    layers = [LayerStatistics(there, there, one, one), LayerStatistics(away, away, zero, zero)]
    priors.bn_statistics(layers).backward()  # type: ignore[no-untyped-call]
    assert there.grad is not None
    assert (there.grad == 0).all()
    torch.testing.assert_close(away.grad, torch.ones(4))
