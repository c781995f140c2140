"""How long an extractor takes per image here, for the plan."""

import math
import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.engine.context import Machine
from benchmarks.evaluation.fidelity.extractors import family, find
from benchmarks.evaluation.fidelity.features import batch_size
from naturalinversion.precision import numerics

STAND_IN_SIZE = 299


@dataclass(frozen=True)
class FeatureStep:
    """One image through an extractor.

    Inception is timed as torchvision's, untrained: the same layers but for a few poolings, and no
    weights are needed to plan. What metrics cost once features are there is left out.
    """

    extractor: str

    shared: ClassVar[bool] = False

    def seconds(self, machine: Machine) -> float:
        """Time per image."""
        device = machine.torch_device()
        network = _network(self.extractor, device).eval()
        images = torch.full((batch_size(device), 3, 32, 32), 128, dtype=torch.uint8, device=device)
        best = math.inf
        with torch.no_grad(), numerics(device, "fp32"):
            network(images)
            for _ in range(2):
                started = time.perf_counter()
                network(images)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                best = min(best, time.perf_counter() - started)
        return best / len(images)


@dataclass(frozen=True)
class RealFeatures(FeatureStep):
    """One real image of a data set: its features are kept for every other cell."""

    dataset: str
    image_size: int

    shared: ClassVar[bool] = True


class _StandIn(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        size = (STAND_IN_SIZE, STAND_IN_SIZE)
        resized = F.interpolate(images.float(), size=size, mode="bilinear", align_corners=False)
        answer: torch.Tensor = self.network((resized - 128) / 128)
        return answer


def _network(name: str, device: torch.device) -> nn.Module:
    stand_in = family(name).stand_in
    if stand_in is None:
        return find(name).build(device)
    return _StandIn(stand_in()).to(device)
