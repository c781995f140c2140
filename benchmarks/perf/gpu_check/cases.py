"""Networks, batches and sizes of the checks."""

import copy
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded

CLASSES = 10
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Sizes:
    """Small enough for seconds, large enough for the kernels that a full run takes."""

    width: float = 0.25
    image: int = 32
    batch: int = 16
    iterations: int = 10
    """of a batch: the step is captured within the first few, and repeated in the rest"""
    seeds: tuple[int, ...] = (0, 1, 0, 1)
    """of the batches that are made one after the other"""
    judged: int = 8
    """images that go through an extractor"""
    joint: int = 32
    """images of a step of generator and student"""
    long: tuple[int, int] = (2, 6)
    """epochs and steps of a joint training that is to be captured"""
    archs: tuple[str, ...] = ("resnet18", "vgg11", "mobilenetv2")
    """of the teachers that are inverted"""


SIZES = {
    "cuda": Sizes(),
    "cpu": Sizes(0.0625, 16, 4, 4, (0, 1, 0), 2, long=(1, 2), archs=("vgg11",)),
}


@cache
def network(arch: str, sizes: Sizes, seed: int = 0) -> nn.Module:
    """A classifier on the CPU whose batch norms have seen smooth images."""
    with seeded(seed):
        made = build(arch, CLASSES, sizes.width).train()
        with torch.no_grad():
            for _ in range(5):
                coarse = 2 * torch.randn(64, 3, sizes.image // 4, sizes.image // 4)
                made(F.interpolate(coarse, scale_factor=4))
    return made.eval()


def network_on(
    arch: str, sizes: Sizes, device: torch.device, dtype: torch.dtype = torch.float32, seed: int = 0
) -> nn.Module:
    """A copy of `network` on a device."""
    return copy.deepcopy(network(arch, sizes, seed)).to(device, dtype)


@cache
def teacher(
    arch: str,
    sizes: Sizes,
    device: torch.device,
    precision: Precision = "fp32",
    dtype: torch.dtype = torch.float32,
) -> Teacher:
    """The same as a teacher, examined once: it is frozen, so checks share it."""
    shape = (3, sizes.image, sizes.image)
    model = network_on(arch, sizes, device, dtype)
    return Teacher(model, num_classes=CLASSES, image_shape=shape, precision=precision)
