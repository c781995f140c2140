"""What a method returns, held against the rules of `Synthesizer` before it is stored."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from naturalinversion.errors import DivergedError, MethodError
from naturalinversion.synthesis.synthesizer import Batch
from naturalinversion.teacher.teacher import Teacher

FLAT = 0.01  # contrast, in standard deviations of the training images' pixels
FAR = 0.1  # share of values outside three times the range of pixels that is remarked on
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_batch(
    batch: Any, where: str, count: int, image_shape: tuple[int, int, int], num_classes: int
) -> None:
    """Hold a method's ``batch`` for ``count`` labels against the rules.

    Images are floating point (count, C, H, W), labels integers (count,) below ``num_classes``,
    losses one value per iteration. ``where`` names method and batch. Raises `MethodError` with the
    first rule that is broken, `DivergedError` for values that are not finite as stored.
    """
    for name in ("images", "labels", "losses"):
        if not hasattr(batch, name):
            raise MethodError(
                f"{where} returned a {type(batch).__name__}, not a Batch(images, labels, losses)"
            )
    _check_images(batch.images, where, (count, *image_shape))
    _check_labels(batch.labels, where, count, num_classes)
    _check_losses(batch.losses, where)


def implausible(batch: Batch, teacher: Teacher) -> str:
    """Why images can hardly be in teacher space, as (pixel - mean) / std is; empty if they can."""
    images = batch.images.detach().float()
    pixels = teacher.denormalize(images)
    far = ((pixels < -1) | (pixels > 2)).float().mean().item()
    if far > FAR:
        return (
            f"{far:.0%} of the values lie far outside the pixels that the teacher knows; it takes "
            "(pixel - mean) / std, with pixels in 0..1"
        )
    if flat := count_flat(images):
        return f"{flat} of {len(images)} images are of one colour"
    normalised = any(teacher.mean) or any(value != 1 for value in teacher.std)
    if normalised and images.min() >= 0 and images.max() <= 1:
        return (
            "all values lie between 0 and 1, as pixels do; the teacher takes (pixel - mean) / std: "
            "teacher.normalize(pixels)"
        )
    return ""


def count_flat(images: Tensor) -> int:
    """How many of (N, C, H, W) have no contrast in any channel: what a saturated tanh leaves."""
    contrast = images.float().amax((2, 3)) - images.float().amin((2, 3))
    return int((contrast.amax(1) < FLAT).sum())


def _check_images(images: Any, where: str, shape: tuple[int, ...]) -> None:
    if not isinstance(images, Tensor):
        raise MethodError(f"{where}: images are a {type(images).__name__}, not a tensor")
    if not images.is_floating_point():
        raise MethodError(
            f"{where}: images are {_name(images)}, not floating point in teacher space, "
            "(pixel - mean) / std"
        )
    if tuple(images.shape) != shape:
        raise MethodError(f"{where}: images are {tuple(images.shape)}, not {shape}")
    largest = images.detach().abs().max().float().item()
    if not images.isfinite().all():
        raise DivergedError("the images hold NaN or infinity")
    if not images.detach().to(torch.float16).isfinite().all():
        limit = torch.finfo(torch.float16).max
        raise DivergedError(f"the images hold {largest:.4g}, stored is up to {limit:.0f} (float16)")


def _check_labels(labels: Any, where: str, count: int, num_classes: int) -> None:
    if not isinstance(labels, Tensor):
        raise MethodError(f"{where}: labels are a {type(labels).__name__}, not a tensor")
    if labels.dtype not in _INTEGERS:
        raise MethodError(f"{where}: labels are {_name(labels)}, not integers")
    if tuple(labels.shape) != (count,):
        raise MethodError(f"{where}: labels are {tuple(labels.shape)}, not ({count},)")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        wrong = low if low < 0 else high
        raise MethodError(f"{where}: a label is {wrong}, not one of 0 to {num_classes - 1}")


def _check_losses(losses: Any, where: str) -> None:
    if not isinstance(losses, Mapping):
        raise MethodError(f"{where}: losses are a {type(losses).__name__}, not a mapping by term")
    lengths = {}
    for name, history in losses.items():
        if not isinstance(history, Tensor) or history.ndim != 1 or not len(history):
            found = tuple(history.shape) if isinstance(history, Tensor) else type(history).__name__
            raise MethodError(
                f"{where}: loss '{name}' is {found}, not a tensor (E,) of one value per iteration"
            )
        lengths[name] = len(history)
    if len(set(lengths.values())) > 1:
        raise MethodError(f"{where}: losses have {lengths} values, not the same number each")


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
