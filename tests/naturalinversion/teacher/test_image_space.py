"""Teacher space and back: the normalisation of a classifier's training."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.teacher.networks import BottleneckNet, FunctionalPooling, made, teach


@pytest.mark.parametrize(("given", "missing"), [("mean", "std"), ("std", "mean")])
def test_mean_and_std_come_together(given: str, missing: str) -> None:
    """The default of one does not belong to the other that is given."""
    with pytest.raises(TeacherError, match=f"^{given} without {missing}: give both, those of the"):
        teach(made(FunctionalPooling), **{given: (0.5, 0.5, 0.5)})
    teach(made(FunctionalPooling), mean=None, std=None)


def test_normalisation_and_back() -> None:
    teacher = teach(made(BottleneckNet), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125))
    pixels = torch.rand(2, 3, 16, 16, generator=generator(0))
    images = teacher.normalize(pixels)
    torch.testing.assert_close(images[:, 2], (pixels[:, 2] - 0.3) / 0.125)
    torch.testing.assert_close(teacher.denormalize(images), pixels)


def test_a_normalisation_is_copied_from_the_host_once() -> None:
    """So it can be captured, and differentiated after a first call in inference mode."""
    teacher = teach(made(BottleneckNet))
    pixels = torch.rand(2, 3, 16, 16, generator=generator(0)).requires_grad_()
    with torch.inference_mode():
        expected = teacher.normalize(pixels)
        teacher.denormalize(expected.double())
    graph = FakeGraph()
    with graph.captured():
        images = teacher.normalize(pixels)
        back = teacher.denormalize(images.double())
    assert torch.equal(images, expected)
    (gradient,) = torch.autograd.grad(images.sum(), pixels)
    torch.testing.assert_close(gradient[0, :, 0, 0], 1 / torch.tensor(teacher.std))
    assert back.dtype == torch.float64
    teacher.mean = (0.0, 0.0, 0.0)
    torch.testing.assert_close(teacher.normalize(pixels)[:, 0], pixels[:, 0] / teacher.std[0])


MEAN, STD = (0.125, 0.25, 0.375), (0.5, 0.25, 0.125)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(1, 3)),
        (torch.tensor(MEAN).view(1, 3, 1, 1), np.array(STD).reshape(3, 1, 1)),
        (iter(MEAN), (value for value in STD)),
        (torch.tensor(MEAN), list(STD)),
    ],
    ids=["tensors", "tensor and array", "iterators", "plain"],
)
def test_a_normalisation_may_be_a_tensor_of_any_usual_shape(
    mean: Iterable[float], std: Iterable[float]
) -> None:
    teacher = teach(made(BottleneckNet), mean=mean, std=std)
    assert (teacher.mean, teacher.std) == (MEAN, STD)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_integers_are_refused_where_they_would_be_rounded(dtype: torch.dtype) -> None:
    """A mean of 0.49 and a deviation of 0.2 are 0 as integers."""
    teacher, pixels = teach(made(BottleneckNet)), torch.ones(2, 3, 16, 16, dtype=dtype)
    for mapping in (teacher.normalize, teacher.denormalize, teacher, teacher.observe):
        with pytest.raises(TeacherError, match=r"not floating point: divide .* by 255$"):
            mapping(pixels)


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (2, 5, 16, 16)])
def test_other_channels_are_refused_where_one_would_be_taken_for_all(
    shape: tuple[int, ...],
) -> None:
    teacher, pixels = teach(made(BottleneckNet)), torch.ones(shape)
    for mapping in (teacher.normalize, teacher.denormalize, teacher, teacher.observe):
        with pytest.raises(TeacherError, match=rf"^images have shape \(2, {shape[1]}, 16, 16\)"):
            mapping(pixels)


def test_arrays_are_refused() -> None:
    teacher, pixels = teach(made(BottleneckNet)), np.ones((2, 3, 16, 16), np.float32)
    for mapping in (teacher.normalize, teacher.denormalize, teacher, teacher.observe):
        with pytest.raises(TeacherError, match=r"^images are ndarray, not a torch\.Tensor$"):
            mapping(pixels)  # type: ignore[operator]
