"""The module calls of one forward pass: which, in which order, with which maps."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int, int]


@dataclass
class ModuleCall:
    """One call: shapes (N, C, H, W) of its first input and of its output, None if no map.

    ``number`` counts the module's calls within the pass from 0. ``inputs`` is the shape of the
    first input whatever its rank. ``overwritten``: its output changed after it had returned.
    """

    name: str
    module: nn.Module = field(repr=False)
    inputs: tuple[int, ...] = ()
    output: Shape | None = None
    number: int = 0
    overwritten: bool = False
    parents: tuple["ModuleCall", ...] = field(default=(), repr=False)

    @property
    def inside_a_downsampling(self) -> bool:
        """Whether a module around it halves the resolution."""
        return any(parent._downsamples for parent in self.parents)

    @property
    def _downsamples(self) -> bool:
        if self.output is None or len(self.inputs) != 4:
            return False
        return all(
            before // 2 <= after <= (before + 1) // 2 < before  # of an odd side, either
            for before, after in zip(self.inputs[2:], self.output[2:], strict=True)
        )


def first_input(inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a module is given first, by position or by keyword; None if nothing is."""
    return next(iter((*inputs, *named.values())), None)


def _map_shape(output: Tensor, images: Tensor) -> Shape | None:
    """The shape of a feature map of ``images`` (N, C, H, W), None of another output.

    Other tensors have four dimensions too: attention (N, heads, T, T), tokens (N, H, W, C), and
    windows of the images. A map has their N, no larger sides, and both in the same ratio, within
    the pixel that rounding takes or adds.
    """
    if output.ndim != 4 or len(output) != len(images):
        return None
    count, channels, height, width = output.shape
    of_image = images.shape[2:]
    fits = height <= of_image[0] and width <= of_image[1]
    same = (height - 1) * of_image[1] < (width + 1) * of_image[0]
    same = same and (width - 1) * of_image[0] < (height + 1) * of_image[1]
    return (count, channels, height, width) if fits and same else None


@torch.no_grad()
def module_calls(model: nn.Module, images: Tensor) -> list[ModuleCall]:
    """Every call of a pass of ``images`` (N, C, H, W), in the order in which they end."""
    ended: list[ModuleCall] = []
    running: list[ModuleCall] = []
    outputs: list[tuple[ModuleCall, Tensor, int]] = []
    counts: dict[nn.Module, int] = {}

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            first = first_input(inputs, named)
            shape = tuple(first.shape) if isinstance(first, Tensor) else ()
            running.append(ModuleCall(name, module, shape, parents=tuple(running)))

        return hook

    def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call = running.pop()
        call.number = counts.get(module, 0)
        counts[module] = call.number + 1
        if isinstance(output, Tensor):
            outputs.append((call, output, output._version))
            call.output = _map_shape(output, images)
        ended.append(call)

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.enter_context(module.register_forward_pre_hook(enter(name), with_kwargs=True))
            hooks.enter_context(module.register_forward_hook(leave))
        model(images)
    for call, output, version in outputs:
        call.overwritten = output._version != version
    return ended
