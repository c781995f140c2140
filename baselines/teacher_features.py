"""Features of images inside a teacher: the means over pixels of what its layers get."""

from contextlib import ExitStack
from typing import Any, Literal

import torch
from torch import Tensor, nn

from naturalinversion.errors import SettingError
from naturalinversion.teacher.module_calls import first_input
from naturalinversion.teacher.observation import Observation
from naturalinversion.teacher.teacher import Teacher

Taps = Literal["batch norms", "stages"]
STAGES = ("layer1", "layer2", "layer3", "layer4")


class FeatureTaps:
    """Passes through ``teacher`` that also read the inputs of its batch norms, or of its stages.

    ``features`` is how many channels these have together, ``dtype`` their type: float32 or wider.
    Raises `SettingError` for stages of a classifier that has no ``layer1`` to ``layer4``.
    """

    def __init__(self, teacher: Teacher, taps: Taps) -> None:
        self._teacher = teacher
        modules = dict(teacher.model.named_modules())
        if taps == "stages":
            if missing := [name for name in STAGES if name not in modules]:
                raise SettingError(
                    f"taps of stages: the teacher has no {missing[0]}; take its batch norms"
                )
            self._modules = [modules[name] for name in STAGES]
        else:
            self._modules = list(teacher.batch_norms)
        self.last = torch.empty(0)  # (N, F), of the last pass, in order of execution
        probe = torch.zeros(2, *teacher.image_shape, device=teacher.device, dtype=teacher.dtype)
        with torch.no_grad():
            self.observe(probe)
        self.features, self.dtype = self.last.shape[1], self.last.dtype

    def observe(self, images: Tensor) -> Observation:
        """`Teacher.observe` with statistics, which leaves batch norms as they are."""
        found: list[Tensor] = []

        def read(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            maps: Tensor = first_input(inputs, named)
            wide = torch.promote_types(maps.dtype, torch.float32)
            found.append(_mean_over_pixels(maps.to(wide)))

        with ExitStack() as hooks:
            for module in self._modules:
                hooks.enter_context(module.register_forward_pre_hook(read, with_kwargs=True))
            seen = self._teacher.observe(images, statistics=True)
        if any(len(means) != len(images) for means in found):
            raise SettingError(
                "taps: a tapped module of the classifier sees another number of images than it is "
                "given, patches of them perhaps"
            )
        self.last = torch.cat(found, dim=1)
        return seen


def _mean_over_pixels(maps: Tensor) -> Tensor:
    """(N, C, …) to (N, C)."""
    return maps.mean(dim=tuple(range(2, maps.ndim))) if maps.ndim > 2 else maps
