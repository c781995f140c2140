"""Weights of a frozen network, cast to the autocast type and with batch norms folded in, cached.

Under autocast a convolution casts its weights in every pass, and a batch norm whose statistics are
not recorded adds three kernels. Here the cast weights are cached, and such a batch norm is folded
into the convolution before it if it is the only reader of its output (found by `torch.fx`). The
error of bfloat16 maps against float32 stays the same, half a percent.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils import fuse_conv_bn_weights

from naturalinversion.classifiers.mobilenet import DepthwiseConv
from naturalinversion.teacher.batch_norm_constants import norm_tensors
from naturalinversion.teacher.batch_norm_statistics import can_fuse
from naturalinversion.teacher.derived_tensors import (
    can_cache,
    copied_in_place,
    lasting_tensors,
    tensor_versions,
)
from naturalinversion.teacher.replaced_forward import Forwards, convolves_as_usual, replaced_forward

CACHED_DEVICES = ("cuda",)  # device types where it is faster; CPU results stay byte for byte

CONVOLUTIONS = (nn.Conv2d.forward, DepthwiseConv.forward)  # same as `nn.Conv2d._conv_forward`

Layer = nn.Conv2d | nn.Linear
Pairs = dict[nn.Module, nn.BatchNorm2d]  # convolution to the norm that alone reads its output


class CachedWeights:
    """Cached weights of the convolutions and linear layers of ``network``.

    They are recomputed when a weight has changed. ``hooked`` names modules whose outputs are read
    by hooks: folding leaves these outputs unchanged.
    """

    def __init__(self, network: nn.Module, hooked: Collection[str] = ()) -> None:
        self.network, self.hooked = network, frozenset(hooked)
        self._cache: dict[tuple[Layer, nn.BatchNorm2d | None, torch.dtype], _Weights] = {}
        self._pairs: Pairs | None = None

    @contextmanager
    def enabled(self, *, folded: bool) -> Iterator[None]:
        """Use them until the end of the block; ``folded``: with batch norms folded in."""
        pairs = self._foldable_norms() if folded else {}
        layers = [layer for layer in self.network.modules() if _is_frozen(layer)]
        functions: Forwards = {
            layer: partial(self._forward, layer, pairs.get(layer)) for layer in layers
        }
        with replaced_forward(functions | dict.fromkeys(pairs.values(), _identity)):
            yield

    def refresh(self) -> None:
        """Recompute all in place, where a captured forward pass reads them."""
        for key, cached in self._cache.items():
            fresh = _Weights(*key)
            if not cached.update(fresh):
                self._cache[key] = fresh

    def _forward(self, layer: Layer, norm: nn.BatchNorm2d | None, input: Tensor) -> Tensor:
        dtype = _compute_dtype(layer.weight)
        if norm is None and dtype == layer.weight.dtype:
            own: Any = type(layer).forward
            out: Tensor = own(layer, input)
            return out
        weight, bias = self._weights(layer, norm, dtype).tensors
        if isinstance(layer, nn.Linear):
            return F.linear(input, weight, bias)
        out = layer._conv_forward(input, weight, bias)
        return out

    def _weights(self, layer: Layer, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> "_Weights":
        known = self._cache.get((layer, norm, dtype))
        if known is not None and known.versions == _versions(layer, norm):
            return known
        fresh = _Weights(layer, norm, dtype)
        if not can_cache(layer.weight.device):
            return fresh
        if known is None or not known.update(fresh):
            known = self._cache[layer, norm, dtype] = fresh
        return known

    def _foldable_norms(self) -> Pairs:
        """Pairs to fold now: none while the network has hooks, which may read between the two."""
        if any(m._forward_hooks or m._forward_pre_hooks for m in self.network.modules()):
            return {}
        if self._pairs is None:
            self._pairs = conv_norm_pairs(self.network, self.hooked)
        return {c: norm for c, norm in self._pairs.items() if _is_frozen(c) and can_fuse(norm)}


class _Weights:
    """Weight and bias of a layer in ``dtype``, with the batch norm after it folded in, if any."""

    @lasting_tensors()
    def __init__(self, layer: Layer, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> None:
        self.versions = _versions(layer, norm)
        weight: Tensor = layer.weight
        bias: Tensor | None = layer.bias
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            statistics = norm.running_mean, norm.running_var
            weight, bias = fuse_conv_bn_weights(
                weight, bias, *statistics, norm.eps, norm.weight, norm.bias
            )
        self.tensors = weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype)

    def update(self, other: "_Weights") -> bool:
        """Copy ``other`` into this memory in place; False where shapes, types or devices differ."""
        if not copied_in_place(self.tensors, other.tensors):
            return False
        self.versions = other.versions
        return True


def conv_norm_pairs(network: nn.Module, hooked: Collection[str] = ()) -> Pairs:
    """Convolutions and the batch norm after each: both called once, nothing else reads between.

    Left out are convolutions that end a module in ``hooked`` unless the norm is inside it as well.
    Empty where `torch.fx` can't trace the network, for instance with control flow on its input.
    """
    try:
        graph = _Tracer().trace(network)
    except Exception:  # whatever the network raises for the tracer's proxy of its images
        return {}
    modules = dict(network.named_modules())
    calls = [node for node in graph.nodes if node.op == "call_module"]
    targets = [node.target for node in calls]
    found: Pairs = {}
    for node in calls:
        norm, before = modules[node.target], node.args[0] if node.args else None
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
            continue
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution = modules[str(before.target)]
        once = targets.count(node.target) == targets.count(before.target) == 1
        between = _enclosing(str(before.target)) - _enclosing(node.target)
        if isinstance(convolution, nn.Conv2d) and once and not between & set(hooked):
            found[convolution] = norm
    return found


class _Tracer(fx.Tracer):
    """Convolutions and batch norms, subclasses included, are leaves."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d | nn.BatchNorm2d) or bool(
            super().is_leaf_module(m, module_qualified_name)
        )


def _enclosing(name: str) -> set[str]:
    """The names of the module and of its parents."""
    parts = name.split(".")
    return {".".join(parts[: end + 1]) for end in range(len(parts))}


def _is_frozen(module: nn.Module) -> TypeGuard[Layer]:
    """Whether it is a plain convolution or linear layer whose weight is a frozen parameter."""
    forward: Any = type(module).forward
    known = forward in CONVOLUTIONS or forward is nn.Linear.forward
    if isinstance(module, nn.Conv2d) and not convolves_as_usual(module):
        return False
    weight = module._parameters.get("weight")
    return (
        known and "forward" not in module.__dict__ and not (weight is None or weight.requires_grad)
    )


def _compute_dtype(weight: Tensor) -> torch.dtype:
    """The type that autocast computes the layer in; it leaves float64 as it is."""
    device = weight.device.type
    if weight.dtype == torch.float64 or not torch.is_autocast_enabled(device):
        return weight.dtype
    return torch.get_autocast_dtype(device)


def _versions(layer: Layer, norm: nn.BatchNorm2d | None) -> tuple[object, ...]:
    own = tensor_versions(layer.weight, layer.bias)
    return own if norm is None else (*own, norm.eps, *tensor_versions(*norm_tensors(norm)))


def _identity(input: Tensor) -> Tensor:
    return input
