"""The images that a teacher is said to take: their shape, mean and standard deviation."""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from naturalinversion.errors import TeacherError
from naturalinversion.validation import shown

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)


def check_shape(image_shape: Iterable[int]) -> tuple[int, int, int]:
    """``image_shape`` as Python's ints. Raises `TeacherError` for what is no shape of images."""
    try:
        channels, height, width = map(operator.index, image_shape)
    except (TypeError, ValueError):
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise TeacherError(
            f"image_shape is {shown(image_shape)}: three whole numbers, (channels, height, width)"
        )
    return channels, height, width


def check_normalisation(
    mean: Iterable[float] | None, std: Iterable[float] | None, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, ``channels`` floats of each; CIFAR-10's where both are None.

    Raises `TeacherError` for those that can't be, and for one without the other.
    """
    if mean is None and std is None:
        mean, std = CIFAR10_MEAN, CIFAR10_STD
    if mean is None or std is None:
        given, missing = ("std", "mean") if mean is None else ("mean", "std")
        raise TeacherError(f"{given} without {missing}: give both, those of the same training")
    mean, std = _numbers("mean", mean), _numbers("std", std)
    if len(mean) != channels or len(std) != channels:
        raise TeacherError(
            f"mean and std need {channels} values each, as many as the images have channels: they "
            f"have {len(mean)} and {len(std)} (CIFAR-10's, of three, are the default)"
        )
    if not all(math.isfinite(value) for value in (*mean, *std)) or min(std) <= 0:
        raise TeacherError("mean and std need finite values, std above zero")
    if max(*mean, *std) > 1 or min(mean) < 0:
        raise TeacherError(
            f"mean {_short(mean)} and std {_short(std)} are not those of pixels in [0, 1]: divide "
            "those of pixels in 0..255 by 255"
        )
    return mean, std


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    """``values``, also of a tensor or an array whose other sides are one, as (C, 1, 1)."""
    if isinstance(values, Tensor | np.ndarray) and values.ndim > 1:
        if max(values.shape) != math.prod(values.shape):
            raise TeacherError(f"{name} has shape {tuple(values.shape)}: a number for each channel")
        values = values.reshape(-1)
    try:
        found = tuple(values)
        [math.isfinite(value) for value in found]  # refuses strings, which float() does not
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TeacherError(f"{name} is {shown(values)}: a number for each channel") from None
    return tuple(map(float, found))


def check_batch(images: Tensor, image_shape: tuple[int, int, int]) -> None:
    """Raises `TeacherError` for images that are integers, no batch, of other channels, or no
    tensor.
    """
    check_floating(images)
    if images.ndim != 4 or images.shape[1] != image_shape[0]:
        due = ", ".join(map(str, image_shape))
        raise TeacherError(
            f"images have shape {tuple(images.shape)}, not (N, {due})"
            + (": of one image make a batch by image.unsqueeze(0)" if images.ndim == 3 else "")
        )


def check_channels(images: Tensor, image_shape: tuple[int, int, int]) -> None:
    """Raises `TeacherError` for images (…, C, H, W) that are integers, or of other channels."""
    check_floating(images)
    if images.ndim < 3 or images.shape[-3] != image_shape[0]:
        raise TeacherError(
            f"images have shape {tuple(images.shape)}: the teacher's have {image_shape[0]} channels"
        )


def check_floating(images: Tensor) -> None:
    """Raises `TeacherError` for images or pixels that are integers, or no tensor."""
    if not isinstance(images, Tensor):
        raise TeacherError(f"images are {type(images).__name__}, not a torch.Tensor")
    if not images.is_floating_point():
        raise TeacherError(
            f"images are {images.dtype}, not floating point: divide pixels in 0..255 by 255"
        )


def _short(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
