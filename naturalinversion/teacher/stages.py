"""Where a classifier changes resolution: the feature maps that a Feature Transfer Pyramid reads.

The paper extracts "the feature maps at the downsampling point" (NaturalInversion, Feature Transfer
Pyramid). One forward pass of a probe image shows, for any module tree, which module outputs the
last map of each resolution: a ResNet's stages, a VGG's last activation before each pooling, an
inverted residual's projection. Maps inside a block that itself halves the resolution (the first
convolution of a bottleneck, for instance) belong to that block and are skipped.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError


@dataclass(frozen=True)
class Stage:
    """One feature map: the module that outputs it, its channels and its side in pixels.

    ``call`` numbers the module's calls within a forward pass from 0.
    """

    module: str
    channels: int
    size: int
    call: int = 0


@dataclass
class _Call:
    """One module call of the probe: sides of its first input and of its output, 0 if no image."""

    name: str
    before: int
    after: int = 0
    channels: int = 0
    number: int = 0
    parents: tuple["_Call", ...] = field(default=(), repr=False)

    @property
    def inside_a_downsampling(self) -> bool:
        return any(p.after and p.before // 2 == p.after for p in self.parents if p.before)


def find_stages(model: nn.Module, probe: Tensor, smallest: int | None = None) -> tuple[Stage, ...]:
    """The stages of ``model`` from fine (f_1 in the paper) to coarse (f_N).

    ``probe`` (1, C, H, W) is passed through once without gradient. Maps smaller than ``smallest``
    pixels (default H / 8, as in the paper's classifiers) are left out. Raises `TeacherError` if
    there is none.
    """
    calls = _trace(model, probe)
    limit = max(2, probe.shape[-1] // 8) if smallest is None else smallest
    stages: dict[int, _Call] = {}
    for call in calls:
        if call.after < limit or not call.name:
            continue
        known = stages.get(call.after)
        if known is None or known.inside_a_downsampling or not call.inside_a_downsampling:
            stages[call.after] = call
    if not stages:
        raise TeacherError("the classifier has no feature map of two pixels or more")
    return tuple(
        Stage(c.name, c.channels, c.after, c.number) for _, c in sorted(stages.items())[::-1]
    )


def _trace(model: nn.Module, probe: Tensor) -> list[_Call]:
    """Every module call in the order in which they end."""
    ended: list[_Call] = []
    running: list[_Call] = []
    handles = []

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            side = _side(inputs[0]) if inputs else 0
            running.append(_Call(name, side, parents=tuple(running)))

        return hook

    def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call = running.pop()
        call.after = _side(output)
        call.channels = output.shape[1] if call.after else 0
        call.number = sum(other.name == call.name for other in ended)
        ended.append(call)

    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave))
    try:
        with torch.no_grad():
            model(probe)
    finally:
        for handle in handles:
            handle.remove()
    return ended


def _side(value: Any) -> int:
    return value.shape[-1] if isinstance(value, Tensor) and value.ndim == 4 else 0
