"""What our extractors share: images resized and scaled for a network, its features by name."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorBase

from benchmarks.evaluation.fidelity.bilinear import bilinear


class ResizingExtractor(FeatureExtractorBase, ABC):  # type: ignore[misc]
    """A network of square images with ``size`` pixels a side, normalised as (x - centre) / scale.

    ``x`` are levels in 0..255. A subclass says what the network's features are.
    """

    size: ClassVar[int]
    centre: ClassVar[float]
    scale: ClassVar[float]

    @abstractmethod
    def features(self, x: Tensor) -> dict[str, Tensor]:
        """All features by name, each (N, D), of normalised images (N, 3, size, size)."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The features asked for, in the order asked for, of uint8 images (N, 3, H, W)."""
        x = (bilinear(images.float(), self.size) - self.centre) / self.scale
        if x.is_cpu:
            x = x.contiguous(memory_format=torch.channels_last)
        found = self.features(x)
        return tuple(found[name] for name in self.features_list)

    @staticmethod
    def can_be_compiled() -> bool:
        """Not tried."""
        return False
