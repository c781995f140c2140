"""One captured step for all batches of a method: what a batch starts from is copied into it.

A capture takes several iterations and holds the memory of one. The step works on tensors of its
own; a batch is nothing but what they are filled with, so it comes out the same after any other.
"""

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.inversion.cuda_graph import CapturedStep
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.jitter import IterationShifts
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import DeviceShifts, Schedule, Step


class CapturedBatches:
    """Holds the captured step as long as batches come that it fits, and no longer.

    ``settings`` is whatever else the step follows from: a method whose sources differ in more than
    their tensors says it here.
    """

    def __init__(self) -> None:
        self.settings: object = None
        self._fits: tuple[Any, ...] | None = None
        self._captured: tuple[Step, CapturedStep[None]] | None = None

    def begin(
        self,
        source: ImageSource,
        objective: Objective,
        draws: Sequence[IterationShifts],
        keep_best: bool,
        schedule: Schedule,
    ) -> tuple[Step, CapturedStep[None]]:
        """The step of this batch before its first iteration, and what does one on the device."""
        given = (self.settings, keep_best, schedule, len(draws))
        fits = (*given, *_what_is_captured(source, objective))
        if self._captured is None or self._fits != fits:
            self.release()
            self._captured = _capture(source, objective, draws, keep_best, schedule)
            self._fits = fits
        step, run = self._captured
        with torch.no_grad():
            torch._foreach_copy_(step.source.tensors(), source.tensors())
        step.objective.labels.copy_(objective.labels)
        assert isinstance(step.shifts, DeviceShifts)
        step.shifts.refill(draws)
        step.restart()
        return step, run

    def release(self) -> None:
        """Let go of the step, its memory, the teacher and the student."""
        self._fits = self._captured = None


def _capture(
    source: ImageSource,
    objective: Objective,
    draws: Sequence[IterationShifts],
    keep_best: bool,
    schedule: Schedule,
) -> tuple[Step, CapturedStep[None]]:
    teacher = objective.teacher
    shifts = DeviceShifts(draws, (teacher.image_shape[1], teacher.image_shape[2]), teacher.device)
    step = Step(
        copy.deepcopy(source, {id(teacher): teacher}),
        replace(objective, labels=objective.labels.clone()),
        shifts,
        len(draws),
        keep_best,
        schedule,
    )
    return step, CapturedStep(step, teacher.device, step.state)


def _what_is_captured(source: ImageSource, objective: Objective) -> tuple[Any, ...]:
    """All that the operations depend on, and the place of every tensor that is not copied.

    A student may be filled with other weights meanwhile. The teacher may not, as what is derived
    from its weights is captured too.
    """
    teacher, student = objective.teacher, objective.student
    given = [getattr(objective, f.name) for f in fields(objective) if f.name != "labels"]
    own = [_layout(tensor) for tensor in (*source.tensors(), objective.labels)]
    versions = [tensor._version for tensor in _tensors(teacher.model)]
    networks = [teacher.model, *([student] if isinstance(student, nn.Module) else [])]
    places = [(t.data_ptr(), _layout(t)) for network in networks for t in _tensors(network)]
    modes = [module.training for network in networks for module in network.modules()]
    cudnn = torch.backends.cudnn
    switches = (
        torch.are_deterministic_algorithms_enabled(),
        cudnn.enabled,
        cudnn.benchmark,
        cudnn.deterministic,
    )
    return type(source), teacher.precision, *given, own, versions, places, modes, switches


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def _tensors(network: nn.Module) -> list[Tensor]:
    return list(chain(network.parameters(), network.buffers()))
