"""Input statistics of batch norms, recorded in the one forward pass a loss needs (R_BN, Eq. 3).

A frozen batch norm is one multiplication and one addition per channel. Here the normalisation, the
mean and variance of its input, and the gradient of both are one autograd node. The moments come
from the kernel that trains batch norms: on a CPU in channels_last layout it is 25 times faster than
`torch.var_mean`, and for bfloat16 maps it returns float32. The gradient takes two passes over the
maps instead of six. `fused_batch_norm` is the version for GPUs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.priors import LayerStatistics
from naturalinversion.teacher.batch_norms import input_moments, running_statistics
from naturalinversion.teacher.module_calls import first_input
from naturalinversion.teacher.replaced_forward import Forwards, replaced_forward
from naturalinversion.teacher.stacked_moments import StackedMoments


class RecordedStatistics(dict[nn.Module, LayerStatistics]):
    """The moments of each batch norm's input, of its last call where it is called twice."""

    stacked: StackedMoments | None = None  # the same, stacked over layers, on a GPU

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[LayerStatistics] = []  # of every call, in the order of execution

    def __setitem__(self, norm: nn.Module, statistics: LayerStatistics) -> None:
        super().__setitem__(norm, statistics)
        self.calls.append(statistics)


@contextmanager
def record_batch_norm_statistics(norms: Sequence[nn.Module]) -> Iterator[RecordedStatistics]:
    """Record the input moments of frozen ``norms`` until the end of the block."""
    recorded = RecordedStatistics()
    fused = [norm for norm in norms if can_fuse(norm)]
    functions: Forwards = {
        norm: partial(_forward, recorded, norm, scale, bias)
        for norm, (scale, bias) in zip(fused, _scales_and_biases(fused), strict=True)
    }
    others = [norm for norm in norms if norm not in functions]
    with replaced_forward(functions), recording_hooks(others, recorded):
        yield recorded


def can_fuse(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether its forward is PyTorch's, in eval mode, on a device with the kernel for moments."""
    if not isinstance(norm, nn.BatchNorm2d):
        return False
    own = "forward" in norm.__dict__
    inherited = type(norm).forward is nn.BatchNorm2d.forward
    assert norm.running_mean is not None
    unchanged = inherited and not own and not norm.training
    wide = norm.running_mean.dtype.itemsize > 2
    return unchanged and wide and norm.running_mean.device.type in ("cpu", "cuda")


def _scales_and_biases(norms: Sequence[nn.BatchNorm2d]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each norm the scale and bias (C,) that it applies in eval mode."""
    if not norms:
        return
    means: list[Tensor] = [norm.running_mean for norm in norms]  # type: ignore[misc]
    variances: list[Tensor] = [norm.running_var for norm in norms]  # type: ignore[misc]
    scales = list(torch._foreach_add(variances, [norm.eps for norm in norms]))
    torch._foreach_rsqrt_(scales)
    # Either may be None: without affine parameters both are, and a norm may learn no bias.
    weights = [(scale, norm.weight) for norm, scale in zip(norms, scales, strict=True)]
    _for_each(torch._foreach_mul_, weights)
    biases = list(torch._foreach_mul(means, scales))
    torch._foreach_neg_(biases)
    _for_each(torch._foreach_add_, [(b, norm.bias) for norm, b in zip(norms, biases, strict=True)])
    yield from zip(scales, biases, strict=True)


def _for_each(
    operation: Callable[[list[Tensor], list[Tensor]], object],
    pairs: Sequence[tuple[Tensor, Tensor | None]],
) -> None:
    """``operation``, in place, on the pairs that have a second tensor."""
    given = [(own, other) for own, other in pairs if other is not None]
    if given:
        operation([own for own, _ in given], [other for _, other in given])


def _forward(
    recorded: RecordedStatistics, norm: nn.BatchNorm2d, scale: Tensor, bias: Tensor, input: Tensor
) -> Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    out: Tensor
    out, mean, variance = _AffineWithMoments.apply(input, scale, bias)
    recorded[norm] = LayerStatistics(mean, variance, norm.running_mean, norm.running_var)
    return out


class _AffineWithMoments(torch.autograd.Function):
    """Maps (N, C, H, W), scale (C,), bias (C,) to the affine maps, and mean and variance (C,)."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, scale: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _moments(maps, scale.dtype)
        ctx.save_for_backward(maps, mean, scale)
        return _affine(maps, scale, bias), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        maps, mean, scale = ctx.saved_tensors
        grad_out, grad_mean, grad_variance = gradients
        count = maps.numel() // maps.shape[1]
        slope = grad_variance * (2 / count)
        constant = grad_mean / count - slope * mean
        gradient = torch.empty_like(grad_out)  # in the maps' type, which may be narrower
        torch.addcmul(_channels(constant), grad_out, _channels(scale), out=gradient)
        return gradient.addcmul_(maps, _channels(slope)), None, None


def _moments(maps: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of maps (N, C, H, W), in ``dtype``."""
    if maps.dtype == dtype:
        return torch.batch_norm_update_stats(maps, None, None, 0.0)
    unused = torch.zeros(maps.shape[1], dtype=dtype, device=maps.device)  # only its type is read
    return torch.batch_norm_update_stats(maps, unused, unused.clone(), 0.0)


def _affine(maps: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Result in the maps' type, which under autocast is narrower than that of scale and bias."""
    if maps.dtype == scale.dtype:
        return torch.addcmul(_channels(bias), maps, _channels(scale))
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    # PyTorch 2.11 refuses an eps of 0; this one added to a variance of 1 leaves it 1.
    return F.batch_norm(maps, zero, one, scale, bias, training=False, eps=1e-30)


def _channels(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


@contextmanager
def recording_hooks(norms: Sequence[nn.Module], recorded: RecordedStatistics) -> Iterator[None]:
    """Record norms that `can_fuse` excludes by forward pre-hooks, which autograd differentiates."""

    def hook(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        mean, variance = running_statistics(module)
        dtype = torch.promote_types(mean.dtype, torch.float32)
        moments = input_moments(first_input(inputs, named), dtype)
        recorded[module] = LayerStatistics(*moments, mean, variance)

    with ExitStack() as hooks:
        for norm in norms:
            hooks.enter_context(norm.register_forward_pre_hook(hook, with_kwargs=True))
        yield
