"""Images held on the device and normalised there: real pixels and synthetic images alike."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from naturalinversion.augmentation import CropFlips, Padding, crop_and_flip, normalise
from naturalinversion.seeds import generator


@dataclass(frozen=True, eq=False)
class DeviceDataset:
    """``images`` (N, 3, H, W) and ``labels`` (N,).

    Images are uint8 pixels, or floats (float16 in the store) that are in teacher space already.
    ``mean`` and ``std`` (3,) are those of pixels in [0, 1] that lead to teacher space.
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "DeviceDataset":
        """The same images on ``device``."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )

    def balanced(self, count: int, seed: int) -> "DeviceDataset":
        """``count`` images by chance, of each class as many or one more; all if there are fewer.

        With one seed, those of a smaller count are among those of a larger one.
        """
        order = torch.randperm(len(self), generator=generator(seed))
        labels = self.labels.cpu()[order]
        earlier = torch.empty_like(labels)  # images of its class that stand before each
        for label in range(int(labels.max()) + 1):
            of_class = labels == label
            earlier[of_class] = torch.arange(int(of_class.sum()))
        index = order[earlier.argsort(stable=True)[:count]].to(self.labels.device)
        return replace(self, images=self.images[index], labels=self.labels[index])

    def batch(self, index: Tensor | slice) -> Tensor:
        """float32 images (B, 3, H, W) in teacher space, as they are stored."""
        return normalise(self.images[index], self.mean, self.std)

    def augmented(
        self, index: Tensor, crop_flips: CropFlips, crop: int, padding: Padding
    ) -> Tensor:
        """The same, each cropped and mirrored as sampled. Zero padding is black."""
        images = self.images[index]
        if images.dtype == torch.uint8:
            black = torch.zeros_like(self.mean)
        else:
            black = -self.mean / self.std
        images = crop_and_flip(images, crop_flips, padding=crop, mode=padding, fill=black)
        return normalise(images, self.mean, self.std)
