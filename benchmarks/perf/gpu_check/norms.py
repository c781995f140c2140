"""Observed batch norms, what they give and the gradient of it, against float64.

A teacher of one norm, so that its images are the maps that the norm sees. Gains of both signs are
among its channels, none at all, and one of next to nothing.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.perf.gpu_check.check import Check, Measured, relative
from naturalinversion import Teacher, priors
from naturalinversion.precision import Precision, compute_in
from naturalinversion.seeds import seeded

SHAPES = ((16, 64, 16, 16), (5, 19, 7, 7))
LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
BOUNDS = {"fp32": 1e-5, "tf32": 1e-5, "bf16": 2**-7}  # of what is in the maps' own type
R_BN = 1e-5  # statistics are float32 in every precision
CHANNEL = 100  # bounds: a mean close to the remembered one leaves few digits of their difference


def checks(device: torch.device) -> Iterator[Check]:
    """In three precisions and both memory formats."""
    precisions: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
    for precision, layout, shape in itertools.product(precisions, LAYOUTS, SHAPES):
        name = f"observed norm, {precision}, {layout}, {'x'.join(map(str, shape))}"
        yield Check(name, partial(_check, device, precision, LAYOUTS[layout], shape))


class _InFormat(nn.Module):
    """Maps (N, C, H, W) as they are, in the memory format given."""

    def __init__(self, layout: torch.memory_format) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, maps: Tensor) -> Tensor:
        return maps.contiguous(memory_format=self.layout)


def _check(
    device: torch.device,
    precision: Precision,
    layout: torch.memory_format,
    shape: tuple[int, int, int, int],
) -> Sequence[Measured]:
    with seeded(0):
        norm = _norm(shape[1])
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(shape[1], 2))
        maps = 0.3 + 1.5 * torch.randn(shape)
        slope = torch.randn(shape)  # of the loss to what the norm gives
    maps = maps.to(torch.bfloat16 if precision == "bf16" else torch.float32)
    expected, expected_bn, expected_slope = _float64(norm, maps, slope)
    of = Teacher(
        nn.Sequential(_InFormat(layout), norm, *head).to(device),
        num_classes=2,
        image_shape=shape[1:],
        mean=[0.0] * shape[1],
        std=[1.0] * shape[1],
        precision=precision,
    )
    images = maps.to(device).requires_grad_()
    with compute_in(device, precision):
        seen = of.observe(images, statistics=True, maps=True)
        bn = priors.bn_statistics(seen.statistics)
        loss = (slope.to(device) * seen.maps[0]).sum() / slope.numel() + bn
        loss.backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    bound = BOUNDS[precision]
    by_channel = 2 * bound if precision == "bf16" else CHANNEL * bound
    return (
        Measured("output", _by_channel(seen.maps[0], expected), bound),
        Measured("R_BN", relative(bn, expected_bn), R_BN),
        Measured("gradient", relative(images.grad, expected_slope), 2 * bound),
        Measured("by channel", _by_channel(images.grad, expected_slope), by_channel),
    )


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels).eval()
    with torch.no_grad():
        norm.weight.normal_()
        norm.weight[0], norm.weight[1], norm.weight[2] = 0.0, 1e-13, -1.0
        norm.bias.normal_()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.2, 3.0)
    return norm


def _float64(norm: nn.BatchNorm2d, maps: Tensor, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, R_BN (Eq. 3) and the gradient to the maps, in plain operations."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var, weight, bias = (
        values.detach().double()
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    leaf = maps.double().requires_grad_()
    out = F.batch_norm(leaf, mean, var, weight, bias, training=False, eps=norm.eps)
    variance, centre = torch.var_mean(leaf, dim=(0, 2, 3), correction=0)
    bn = (centre - mean).norm() + (variance - var).norm()
    ((slope.double() * out).sum() / slope.numel() + bn).backward()
    assert leaf.grad is not None
    return out.detach(), bn.detach(), leaf.grad


def _by_channel(found: Tensor, expected: Tensor) -> float:
    """The largest `relative` difference of a channel: one whose gain is 0 counts as any other."""
    pairs = zip(found.unbind(1), expected.unbind(1), strict=True)
    return max(relative(one, other) for one, other in pairs)
