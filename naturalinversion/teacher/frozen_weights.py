"""Weights of a frozen network as its passes on a GPU take them, made once and not in every pass.

Under autocast a convolution rounds its weights in each pass, and a batch norm that nobody observes
is three kernels more. Here the rounded weights are kept, and such a batch norm is part of them
where it alone reads what the convolution makes (`torch.fx` tells). Maps in bfloat16 are then as far
from those in float32 as before, half a percent.
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
from naturalinversion.teacher.batch_norm_statistics import is_plain
from naturalinversion.teacher.kept import keepable, refilled, version
from naturalinversion.teacher.norm_tables import of_norm

KEPT_ON = ("cuda",)  # device types where it pays; on a CPU bytes stay as they are

CONVOLUTIONS = (nn.Conv2d.forward, DepthwiseConv.forward)  # what `nn.Conv2d._conv_forward` computes

Layer = nn.Conv2d | nn.Linear
Pairs = dict[nn.Module, nn.BatchNorm2d]  # a convolution, and the norm that alone reads its maps


class FrozenWeights:
    """Convolutions and linear layers of ``network``, and the copies of their weights.

    Copies are made again when a weight has changed. ``kept`` names modules whose outputs somebody
    reads: they stay what they are.
    """

    def __init__(self, network: nn.Module, kept: Collection[str] = ()) -> None:
        self.network, self.kept = network, frozenset(kept)
        self._copies: dict[tuple[Layer, nn.BatchNorm2d | None, torch.dtype], _Copy] = {}
        self._pairs: Pairs | None = None

    @contextmanager
    def used(self, *, folded: bool) -> Iterator[None]:
        """Until the end of the block; ``folded``: batch norms are part of the convolutions."""
        pairs = self._foldable() if folded else {}
        replaced: list[nn.Module] = []
        try:
            for layer in self.network.modules():
                if _is_frozen(layer):
                    norm = pairs.get(layer)
                    layer.forward = partial(self._forward, layer, norm)  # type: ignore[method-assign]
                    replaced.append(layer)
                    if norm is not None:
                        norm.forward = _unchanged  # type: ignore[method-assign, assignment]
                        replaced.append(norm)
            yield
        finally:
            for module in replaced:
                module.__dict__.pop("forward", None)

    def refresh(self) -> None:
        """Take the weights as they are now, in place: a captured pass goes on with these."""
        for key, copy in self._copies.items():
            fresh = _Copy(*key)
            if not copy.take(fresh):
                self._copies[key] = fresh

    def _forward(self, layer: Layer, norm: nn.BatchNorm2d | None, maps: Tensor) -> Tensor:
        dtype = _computed_in(layer.weight)
        if norm is None and dtype == layer.weight.dtype:
            own: Any = type(layer).forward
            out: Tensor = own(layer, maps)
            return out
        weight, bias = self._copy(layer, norm, dtype).tensors
        if isinstance(layer, nn.Linear):
            return F.linear(maps, weight, bias)
        out = layer._conv_forward(maps, weight, bias)
        return out

    def _copy(self, layer: Layer, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> "_Copy":
        known = self._copies.get((layer, norm, dtype))
        if known is not None and known.version == _version(layer, norm):
            return known
        fresh = _Copy(layer, norm, dtype)
        if not keepable(layer.weight.device):
            return fresh
        if known is None or not known.take(fresh):
            known = self._copies[layer, norm, dtype] = fresh
        return known

    def _foldable(self) -> Pairs:
        """The pairs that nobody looks between."""
        if any(m._forward_hooks or m._forward_pre_hooks for m in self.network.modules()):
            return {}
        if self._pairs is None:
            self._pairs = pairs(self.network, self.kept)
        return {c: norm for c, norm in self._pairs.items() if _is_frozen(c) and is_plain(norm)}


class _Copy:
    """Weight and bias of a layer in ``dtype``, with a batch norm behind it in them."""

    @torch.no_grad()
    def __init__(self, layer: Layer, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> None:
        self.version = _version(layer, norm)
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

    def take(self, other: "_Copy") -> bool:
        """Copy ``other`` into the memory of this; False where it has no place there."""
        if not refilled(self.tensors, other.tensors):
            return False
        self.version = other.version
        return True


def pairs(network: nn.Module, kept: Collection[str] = ()) -> Pairs:
    """Convolutions that a batch norm follows, called once each, their maps read by nothing else.

    Neither is the output of a module in ``kept``, unless that is the norm's as well. None at all
    where `torch.fx` can't follow the network: one whose way depends on the images, for instance.
    """
    try:
        graph = _Tracer().trace(network)
    except Exception:  # whatever a network makes of the stand-in for its images
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
        if isinstance(convolution, nn.Conv2d) and once and not between & set(kept):
            found[convolution] = norm
    return found


class _Tracer(fx.Tracer):
    """Convolutions and batch norms of whatever class are one step."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d | nn.BatchNorm2d) or bool(
            super().is_leaf_module(m, module_qualified_name)
        )


def _enclosing(name: str) -> set[str]:
    """The module itself and those that it is part of."""
    parts = name.split(".")
    return {".".join(parts[: end + 1]) for end in range(len(parts))}


def _is_frozen(module: nn.Module) -> TypeGuard[Layer]:
    """A layer that does what its class says, with a weight of its own that nobody trains."""
    forward: Any = type(module).forward
    known = forward in CONVOLUTIONS or forward is nn.Linear.forward
    weight = module._parameters.get("weight")
    return (
        known and "forward" not in module.__dict__ and not (weight is None or weight.requires_grad)
    )


def _computed_in(weight: Tensor) -> torch.dtype:
    """Autocast leaves float64 alone."""
    device = weight.device.type
    if weight.dtype == torch.float64 or not torch.is_autocast_enabled(device):
        return weight.dtype
    return torch.get_autocast_dtype(device)


def _version(layer: Layer, norm: nn.BatchNorm2d | None) -> tuple[object, ...]:
    own = version(layer.weight, layer.bias)
    return own if norm is None else (*own, norm.eps, *version(*of_norm(norm)))


def _unchanged(maps: Tensor) -> Tensor:
    return maps
