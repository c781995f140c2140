"""The images of all batches so far as pixels on the teacher's device, for a student to train on."""

from collections.abc import Iterator

import torch
from torch import Tensor

from naturalinversion.image_store.pixels import to_pixels
from naturalinversion.seeds import to_device
from naturalinversion.synthesis.sequence import EarlierBatches
from naturalinversion.teacher.teacher import Teacher


class ImageBank:
    """Up to ``capacity`` batches of one size, as uint8 (N, C, H, W).

    A batch is what its shard holds: reading it back gives the same pixels.
    """

    def __init__(self, teacher: Teacher, capacity: int) -> None:
        self._teacher, self._capacity = teacher, capacity
        self._content = torch.empty(0, dtype=torch.uint8, device=teacher.device)
        self._size = 0
        self.batches = 0

    def __len__(self) -> int:
        return self.batches * self._size

    def follow(self, earlier: EarlierBatches) -> None:
        """Hold exactly the ``earlier`` batches; what is missing is read."""
        self.batches = min(self.batches, len(earlier))
        for number in range(self.batches, len(earlier)):
            images, _ = earlier[number]
            pixels = to_pixels(images, "denormalize", self._teacher.mean, self._teacher.std)
            self._add(pixels)

    def append(self, pixels: Tensor, *, truncate: bool) -> Tensor:
        """Add ``pixels`` (N, C, H, W) in [0, 1]; returns the stored ones in teacher space."""
        levels = pixels.detach().float().clamp(0, 1) * 255
        stored = (levels.floor() if truncate else levels.round()).to(torch.uint8)
        self._add(stored)
        return self._teacher.normalize(stored.to(self._teacher.dtype) / 255)

    def pixels(self, picked: Tensor) -> Tensor:
        """The images with the numbers ``picked`` (N,), an index on the CPU."""
        return self._content.index_select(0, to_device(picked, self._content.device))

    def order(self, steps: int, size: int, draws: torch.Generator) -> Iterator[Tensor]:
        """Numbers of images for each of so many steps: shuffled passes over all there are.

        The last step of a pass takes what is left, if that is more than one image.
        """
        while steps > 0:
            for picked in torch.split(torch.randperm(len(self), generator=draws), size):
                if steps > 0 and len(picked) > 1:
                    yield picked
                    steps -= 1

    def _add(self, pixels: Tensor) -> None:
        if not len(self._content):
            self._size = len(pixels)
            shape = (self._capacity * self._size, *pixels.shape[1:])
            self._content = torch.empty(shape, dtype=torch.uint8, device=self._teacher.device)
        start = len(self)
        self._content[start : start + self._size] = pixels.to(self._content.device)
        self.batches += 1
