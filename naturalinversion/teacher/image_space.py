"""The images that a teacher is said to take: their shape, mean and deviation."""

import math
import operator
from collections.abc import Sequence

from torch import Tensor

from naturalinversion.errors import TeacherError
from naturalinversion.validation import shown


def check_images(
    image_shape: Sequence[int], mean: Sequence[float], std: Sequence[float]
) -> tuple[int, int, int]:
    """``image_shape`` as Python's ints.

    Raises `TeacherError` for a shape or a normalisation that can't be.
    """
    try:
        channels, height, width = map(operator.index, image_shape)
    except (TypeError, ValueError):
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise TeacherError(
            f"image_shape is {shown(image_shape)}: three whole numbers, (channels, height, width)"
        )
    _check_numbers("mean", mean)
    _check_numbers("std", std)
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
    return channels, height, width


def _check_numbers(name: str, values: Sequence[float]) -> None:
    try:
        len([math.isfinite(value) for value in values])
    except TypeError:
        raise TeacherError(f"{name} is {shown(values)}: a number for each channel") from None


def check_floating(images: Tensor) -> None:
    """Raises `TeacherError` for images or pixels that are integers."""
    if not images.is_floating_point():
        raise TeacherError(
            f"images are {images.dtype}, not floating point: divide pixels in 0..255 by 255"
        )


def _short(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
