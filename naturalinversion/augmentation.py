"""Random crops and flips of a whole batch, on the device that holds it, and normalisation.

Both kinds of crop are differentiable.

Crops and flips are sampled on the host from a generator, for as many images as wanted (an epoch,
say), so that every device sees the same ones and no step waits for them. Applying them is one
gather.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from naturalinversion.seeds import to_device

Padding = Literal["zeros", "reflect"]


@dataclass(frozen=True, eq=False)
class CropFlips:
    """Where each of N images is cropped and whether it is mirrored."""

    offsets: Tensor  # (N, 2) int64 in 0..2*padding: the crop's top row and left column
    flips: Tensor  # (N,) bool

    def __getitem__(self, part: slice) -> "CropFlips":
        return CropFlips(self.offsets[part], self.flips[part])

    def to(self, device: torch.device) -> "CropFlips":
        """The same on ``device``; the host does not wait for the copy."""
        return CropFlips(to_device(self.offsets, device), to_device(self.flips, device))


def sample_crop_flips(
    count: int, *, padding: int, flip: bool, generator: torch.Generator
) -> CropFlips:
    """For ``count`` images: offsets uniform over the padded image, flips with probability 1/2."""
    offsets = torch.randint(0, 2 * padding + 1, (count, 2), generator=generator)
    if flip:
        flips = torch.randint(0, 2, (count,), generator=generator).bool()
    else:
        flips = torch.zeros(count, dtype=torch.bool)
    return CropFlips(offsets, flips)


def crop_and_flip(
    images: Tensor, crop_flips: CropFlips, *, padding: int, mode: Padding, fill: Tensor
) -> Tensor:
    """Pad (N, C, H, W) by ``padding`` on each side, crop to (H, W) and mirror as sampled.

    ``fill`` (C,) is what "zeros" pads with, in the unit of the images: 0 for uint8 pixels (black,
    as torchvision's RandomCrop before ToTensor), black after normalisation for images in teacher
    space. "reflect" mirrors at the edge without repeating it and needs ``padding < min(H, W)``.
    """
    count, channels, height, width = images.shape
    offsets, flips = crop_flips.offsets, crop_flips.flips
    rows = offsets[:, :1] + torch.arange(height, device=images.device)  # (N, H), padded rows
    across = torch.arange(width, device=images.device)
    columns = offsets[:, 1:] + torch.where(flips[:, None], width - 1 - across, across)
    stride = width
    if mode == "reflect":
        rows = _reflect(rows - padding, height)
        columns = _reflect(columns - padding, width)
    elif padding:
        stride = width + 2 * padding
        padded = fill.to(images.dtype).view(1, channels, 1, 1)
        padded = padded.expand(count, channels, height + 2 * padding, stride).contiguous()
        padded[:, :, padding:-padding, padding:-padding] = images
        images = padded
    indices = (rows[:, :, None] * stride + columns[:, None, :]).view(count, 1, -1)
    cropped = images.flatten(2).gather(2, indices.expand(-1, channels, -1))
    return cropped.view(count, channels, height, width)


@dataclass(frozen=True, eq=False)
class ResizedCrops:
    """A rectangle of each of N images, enlarged to the whole, and whether it is mirrored."""

    boxes: Tensor  # (N, 4) int64: top, left, height, width in pixels
    flips: Tensor  # (N,) bool


def sample_resized_crops(
    count: int,
    size: tuple[int, int],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
    flip: bool,
    generator: torch.Generator,
) -> ResizedCrops:
    """For ``count`` images of ``size`` (H, W): area uniform, log of the aspect uniform.

    ``area`` is a fraction of the image, ``aspect`` width by height. Sides are rounded to pixels and
    cut off at the image's, positions uniform among those inside it.
    """
    drawn = torch.rand(count, 5, generator=generator)
    surface = size[0] * size[1] * (area[0] + (area[1] - area[0]) * drawn[:, 0])
    low, high = math.log(aspect[0]), math.log(aspect[1])
    ratio = torch.exp(low + (high - low) * drawn[:, 1])
    height = (surface / ratio).sqrt().round().clamp(1, size[0])
    width = (surface * ratio).sqrt().round().clamp(1, size[1])
    top = (drawn[:, 2] * (size[0] - height + 1)).floor()
    left = (drawn[:, 3] * (size[1] - width + 1)).floor()
    boxes = torch.stack([top, left, height, width], dim=1).long()
    return ResizedCrops(boxes, (drawn[:, 4] < 0.5) & flip)


def resized_crop(images: Tensor, crops: ResizedCrops) -> Tensor:
    """The rectangles of (N, C, H, W), bilinearly enlarged to (H, W), mirrored as sampled.

    Pixel i of n takes the value at (i + 1/2) / n of the rectangle's side, from the two pixels
    around it, never from outside. Two matrix products per image: on a GPU the gradient of a
    resampling kernel differs from run to run.
    """
    height, width = images.shape[-2:]
    boxes = to_device(crops.boxes, images.device)
    rows = _interpolation(boxes[:, 0], boxes[:, 2], height, images.dtype)
    columns = _interpolation(boxes[:, 1], boxes[:, 3], width, images.dtype)
    flips = to_device(crops.flips, images.device)[:, None, None]
    columns = torch.where(flips, columns.flip(1), columns)
    with torch.autocast(images.device.type, enabled=False):  # pixels have more than eight bits
        return rows[:, None] @ images @ columns[:, None].transpose(2, 3)


def _interpolation(start: Tensor, length: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """For each image the matrix (N, size, size) that stretches ``length`` pixels over all."""
    steps = (torch.arange(size, device=start.device) + 0.5) / size
    inside = (steps * length[:, None] - 0.5).clamp_min(0).minimum(length[:, None] - 1.0)
    position = (start[:, None] + inside)[:, :, None]  # (N, size, 1)
    distance = (position - torch.arange(size, device=start.device)).abs()
    return (1 - distance).clamp_min(0).to(dtype)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """float32 in teacher space: uint8 pixels scaled to [0, 1], minus ``mean`` (C,), over ``std``.

    Floating-point images are in teacher space already and only become float32.
    """
    if images.dtype != torch.uint8:
        return images.float()
    shape = (1, -1, 1, 1)
    return images.float().sub_((mean * 255).view(shape)).div_((std * 255).view(shape))


def _reflect(index: Tensor, size: int) -> Tensor:
    return (size - 1) - ((size - 1) - index.abs()).abs()
