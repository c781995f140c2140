"""Which modules of a classifier are batch norms, by what they keep rather than by their class.

`nn.BatchNorm2d` and its subclasses, `nn.SyncBatchNorm`, and the frozen norms of detection
libraries all have ``running_mean`` and ``running_var`` over the channels of their input.
"""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from naturalinversion.errors import TeacherError
from naturalinversion.teacher.module_calls import ModuleCall

NAMED = 3  # batch norms in a warning


def called_norms(model: nn.Module, calls: Iterable[ModuleCall]) -> dict[nn.Module, int]:
    """The batch norms of ``model`` in its order, and how often a pass calls each.

    Instance norms don't count: theirs are statistics of single images. Raises `TeacherError` when
    there is none, or none is called.
    """
    inner = _norms(model)
    if not inner:
        raise TeacherError(
            "the classifier has no batch norm with running statistics: nothing records the "
            "statistics of its training images, so it can't be inverted"
        )
    counts = dict.fromkeys(inner.values(), 0)
    for call in calls:
        if call.module in counts and _fits(call):
            counts[call.module] += 1
    called = {norm: count for norm, count in counts.items() if count}
    if not called:
        raise TeacherError(
            f"none of the classifier's {len(inner)} batch norms is called as a module in its "
            "forward pass, so what they normalise can't be observed"
        )
    return called


def not_called(model: nn.Module, called: Collection[nn.Module]) -> str:
    """One line that names the batch norms of ``model`` without those ``called``; empty if none.

    A network may normalise by their statistics all the same, in a function of its own.
    """
    inner = _norms(model)
    left = [repr(name) for name, norm in inner.items() if norm not in called]
    if not left:
        return ""
    named = ", ".join(left[:NAMED]) + (" and others" if len(left) > NAMED else "")
    return (
        f"R_BN leaves out {len(left)} of the classifier's {len(inner)} batch norms, which its "
        f"forward pass does not call as modules: {named}"
    )


def running_statistics(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Running mean and variance (C,)."""
    mean, variance = norm.running_mean, norm.running_var
    assert isinstance(mean, Tensor)
    assert isinstance(variance, Tensor)
    return (mean, variance) if mean.ndim == 1 else (mean.flatten(), variance.flatten())


def are_initial(norms: Iterable[nn.Module]) -> bool:
    """Whether all running statistics have the values of a norm that has seen no image."""
    statistics = [running_statistics(norm) for norm in norms]
    return all(bool((mean == 0).all() and (var == 1).all()) for mean, var in statistics)


def looks_untrained(model: nn.Module) -> bool:
    """Whether a network has batch norms and none of them has seen an image."""
    norms = _norms(model).values()
    return bool(norms) and are_initial(norms)


def _norms(model: nn.Module) -> dict[str, nn.Module]:
    """The modules with running statistics by name; of nested ones the innermost."""
    names = {name: m for name, m in model.named_modules() if _keeps_statistics(m)}
    return {n: m for n, m in names.items() if not any(o.startswith(f"{n}.") for o in names)}


def _keeps_statistics(module: nn.Module) -> bool:
    own = vars(module) | module._parameters | module._buffers
    found = [own.get(name) for name in ("running_mean", "running_var")]
    kept = all(isinstance(each, Tensor) and each.numel() for each in found)
    return kept and not isinstance(module, _InstanceNorm)


def _fits(call: ModuleCall) -> bool:
    mean, variance = running_statistics(call.module)
    channels = call.inputs[1] if len(call.inputs) > 1 else 0
    return len(mean) == len(variance) == channels


def input_moments(maps: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of maps (N, C, …), computed in ``dtype``."""
    dims = [dim for dim in range(maps.ndim) if dim != 1]
    variance, mean = torch.var_mean(maps.to(dtype), dim=dims, correction=0)
    return mean, variance
