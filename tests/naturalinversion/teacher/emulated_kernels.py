"""The batch-norm kernels that PyTorch has for CUDA alone, on a CPU, by their documented formulas.

They refuse what the real ones refuse, or would read as something else: statistics that are not in
the accumulation type, a parameter of a third type, strided vectors, a count that is not int32, and
a gradient in another layout than the maps, which would cost the real ones their fast kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.library import Library

from naturalinversion.teacher import cached_weights, fused_batch_norm


@contextmanager
def emulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU is a device with these kernels, and caches weights as a GPU does."""
    library = Library("aten", "IMPL")
    library.impl("batch_norm_elemt", elemt, "CPU")
    library.impl("batch_norm_backward_elemt", backward_elemt, "CPU")
    update_stats = torch.batch_norm_update_stats

    def in_accumulation_type(maps: Tensor, *others: object) -> tuple[Tensor, Tensor]:
        assert others == (None, None, 0.0)
        assert _layout(maps) is not None
        return update_stats(maps.to(accumulation(maps)), None, None, 0.0)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "batch_norm_update_stats", in_accumulation_type)
        patched.setattr(fused_batch_norm, "FUSED_DEVICES", ("cpu",))
        patched.setattr(cached_weights, "CACHED_DEVICES", ("cpu",))
        try:
            yield
        finally:
            library._destroy()


def elemt(
    maps: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    invstd: Tensor,
    eps: float,
) -> Tensor:
    """`torch.batch_norm_elemt`; the real one does not read ``eps`` either."""
    _check(maps, [mean, invstd], [weight, bias])
    values = (maps.to(mean.dtype) - _channels(mean)) * _channels(invstd)
    values = values if weight is None else values * _channels(weight)
    values = values if bias is None else values + _channels(bias)
    return values.to(maps.dtype)


def backward_elemt(
    of_out: Tensor,
    maps: Tensor,
    mean: Tensor,
    invstd: Tensor,
    weight: Tensor | None,
    sum_dy: Tensor,
    sum_dy_xmu: Tensor,
    count: Tensor,
) -> Tensor:
    """`torch.batch_norm_backward_elemt`."""
    _check(maps, [mean, invstd, sum_dy, sum_dy_xmu], [weight])
    assert of_out.dtype == maps.dtype
    assert of_out.shape == maps.shape
    assert _layout(of_out) == _layout(maps)
    assert count.dtype == torch.int32
    share = 1 / count.sum().to(mean.dtype)
    slope = _channels(invstd.square() * sum_dy_xmu * share)
    centred = maps.to(mean.dtype) - _channels(mean)
    gradient = of_out.to(mean.dtype) - _channels(sum_dy * share) - centred * slope
    factor = invstd if weight is None else invstd * weight
    return (gradient * _channels(factor)).to(maps.dtype)


def accumulation(maps: Tensor) -> torch.dtype:
    """The type in which CUDA sums values of the maps' type."""
    return torch.float64 if maps.dtype == torch.float64 else torch.float32


def _check(maps: Tensor, statistics: list[Tensor], parameters: list[Tensor | None]) -> None:
    assert _layout(maps) is not None
    given = [parameter for parameter in parameters if parameter is not None]
    assert all(each.dtype == accumulation(maps) for each in statistics)
    assert all(each.dtype in (maps.dtype, accumulation(maps)) for each in given)
    assert len({each.dtype for each in given}) <= 1
    assert all(each.shape == maps.shape[1:2] for each in [*statistics, *given])
    assert all(each.is_contiguous() for each in [*statistics, *given])


def _layout(maps: Tensor) -> str | None:
    if maps.is_contiguous(memory_format=torch.channels_last):
        return "channels last"
    return "rows last" if maps.is_contiguous() else None


def _channels(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)
