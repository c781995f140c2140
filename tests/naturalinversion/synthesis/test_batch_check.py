"""What a method returns is held against the rules before it is stored."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from contract_methods import FromOutside
from torch import Tensor

from naturalinversion import Batch, Teacher, synthesize
from naturalinversion.errors import DivergedError, MethodError
from naturalinversion.progress import Progress
from naturalinversion.synthesis.batch_check import count_flat

MakeTeacher = Callable[..., Teacher]
SIZE, CLASSES = 8, 4


class Returns(FromOutside):
    """Returns what ``change`` makes of images and labels."""

    def __init__(self, change: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.change = change

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Any:
        made = super().batch(labels, seed, progress)
        return self.change(made.images, made.labels)


def fill(teacher: Teacher, folder: Path, change: Callable[[Tensor, Tensor], Any]) -> None:
    synthesize(Returns(change), teacher, folder, batches=1, batch_size=SIZE)


WRONG: dict[str, tuple[Callable[[Tensor, Tensor], Any], str]] = {
    "a tuple": (lambda i, t: (i, t), "returned a tuple, not a Batch"),
    "nothing": (lambda i, t: None, "returned a NoneType, not a Batch"),
    "too few": (lambda i, t: Batch(i[:5], t[:5]), r"images are \(5, 3, 16, 16\), not \(8, 3, 16"),
    "one": (lambda i, t: Batch(i[:1], t), r"images are \(1, 3, 16, 16\), not \(8"),
    "another size": (lambda i, t: Batch(i[..., :8], t), r"images are \(8, 3, 16, 8\), not"),
    "grey": (lambda i, t: Batch(i[:, :1], t), r"images are \(8, 1, 16, 16\), not"),
    "flattened": (lambda i, t: Batch(i.flatten(1), t), r"images are \(8, 768\), not"),
    "bytes": (lambda i, t: Batch(i.byte(), t), "images are uint8, not floating point in teacher"),
    "complex": (lambda i, t: Batch(i.cfloat(), t), "images are complex64, not floating point"),
    "arrays": (lambda i, t: Batch(i.numpy(), t), "images are a ndarray, not a tensor"),
    "a list": (lambda i, t: Batch(i, t.tolist()), "labels are a list, not a tensor"),
    "floats": (lambda i, t: Batch(i, t.float()), "labels are float32, not integers"),
    "booleans": (lambda i, t: Batch(i, t > 1), "labels are bool, not integers"),
    "one-hot": (lambda i, t: Batch(i, torch.eye(4).long()[t]), r"labels are \(8, 4\), not \(8,\)"),
    "few labels": (lambda i, t: Batch(i, t[:7]), r"labels are \(7,\), not \(8,\)"),
    "from one": (lambda i, t: Batch(i, t + 1), "a label is 4, not one of 0 to 3"),
    "negative": (lambda i, t: Batch(i, t - 1), "a label is -1, not one of 0 to 3"),
    "no mapping": (lambda i, t: Batch(i, t, [0.5]), "losses are a list, not a mapping"),  # type: ignore[arg-type]
    "a number": (lambda i, t: Batch(i, t, {"total": 0.5}), "loss 'total' is float, not a tensor"),  # type: ignore[dict-item]
    "one loss": (lambda i, t: Batch(i, t, {"total": i.sum()}), r"loss 'total' is \(\), not a tens"),
    "no value": (
        lambda i, t: Batch(i, t, {"total": torch.empty(0)}),
        r"loss 'total' is \(0,\), not",
    ),
    "uneven": (
        lambda i, t: Batch(i, t, {"a": torch.ones(3), "b": torch.ones(4)}),
        "losses have {'a': 3, 'b': 4} values, not the same number each",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_broken_rule_is_named_with_the_method_and_nothing_is_stored(
    name: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    change, pattern = WRONG[name]
    with pytest.raises(MethodError, match=f"^Returns, batch 0:? {pattern}") as caught:
        fill(make_teacher(), tmp_path, change)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.safetensors"))


def test_values_are_finite_as_they_are_stored(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    """float16 ends at 65504: what is finite in float32 may be stored as infinity."""
    pattern = (
        r"^batch 0: the images hold 7e\+04, stored is up to 65504 \(float16\), with every of 3"
    )
    with pytest.raises(DivergedError, match=pattern):
        fill(make_teacher(), tmp_path, lambda i, t: Batch(i.clamp(-1, 1) + 6.9999e4, t))
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_floating_point_and_any_integer_is_taken(
    dtype: torch.dtype, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Returns")
        fill(make_teacher(), tmp_path, lambda i, t: Batch(i.to(dtype), t.to(torch.uint8)))


def grey_levels(images: Tensor, labels: Tensor) -> Batch:
    return Batch((images * 60 + 128).clamp(0, 255).round(), labels)


def unit_interval(images: Tensor, labels: Tensor) -> Batch:
    return Batch((images / 4 + 0.5).clamp(0, 1), labels)


def one_colour(images: Tensor, labels: Tensor) -> Batch:
    return Batch(torch.cat([images[:6], torch.zeros_like(images[:2])]), labels)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (grey_levels, "far outside the pixels that the teacher knows; it takes"),
        (unit_interval, "all values lie between 0 and 1, as pixels do; the teacher takes"),
        (one_colour, "2 of 8 images are of one colour"),
    ],
)
def test_images_that_can_hardly_be_in_teacher_space_are_remarked_on(
    change: Callable[[Tensor, Tensor], Batch],
    text: str,
    make_teacher: MakeTeacher,
    tmp_path: Path,
) -> None:
    with pytest.warns(UserWarning, match=f"^Returns, batch 0: .*{text}"):
        fill(make_teacher(), tmp_path, change)


def test_an_image_without_contrast_in_any_channel_is_flat() -> None:
    images = torch.randn(4, 3, 8, 8)
    images[1] = torch.tensor([1.0, -2.0, 0.5])[:, None, None]
    images[2, 0] = 0.0  # two channels are left
    assert count_flat(images) == 1
