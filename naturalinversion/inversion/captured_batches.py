"""One captured step for all batches of a method: the initial state of a batch is copied into it.

A capture takes several iterations and holds the memory of one. The step has tensors of its own; a
batch is determined by the values copied into them, so it does not depend on batches before it.
"""

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.inversion.cuda_graph import CapturedStep
from naturalinversion.inversion.foreign_networks import try_capture
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.jitter import IterationShifts
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import DeviceShifts, Schedule, Step


class CapturedBatches:
    """Keeps the captured step until a batch needs another one.

    A step serves all batches whose sources differ in the values of their tensors alone.
    ``settings`` are the method's: when one changes, the step is captured again.
    """

    def __init__(self) -> None:
        self.settings: object = None
        self._key: tuple[Any, ...] | None = None
        self._captured: tuple[Step, CapturedStep[None]] | None = None
        self._refused: list[tuple[Any, ...]] = []  # keys of steps that can't be captured

    def begin(
        self,
        source: ImageSource,
        objective: Objective,
        draws: Sequence[IterationShifts],
        keep_best: bool,
        schedule: Schedule,
    ) -> tuple[Step, CapturedStep[None]] | None:
        """The step, set to this batch before its first iteration, and its captured version.

        None where somebody else's network can't be captured, which the first such batch warns of.
        """
        options = (self.settings, keep_best, schedule, len(draws))
        key = (*options, *_capture_key(source, objective))
        if key in self._refused:
            return None
        if self._captured is None or self._key != key:
            self._key = self._captured = None  # frees its memory before another is captured
            self._captured = _capture(source, objective, draws, keep_best, schedule)
            self._key = key
        if self._captured is None:
            self._refused.append(key)
            return None
        step, run = self._captured
        with torch.no_grad():
            torch._foreach_copy_(step.source.tensors(), source.tensors())
        step.objective.labels.copy_(objective.labels)
        assert isinstance(step.shifts, DeviceShifts)
        step.shifts.refill(draws)
        step.restart()
        return step, run

    def release(self) -> None:
        """Free the step and its memory, with its references to teacher and student."""
        self._key = self._captured = None
        self._refused.clear()


def _capture(
    source: ImageSource,
    objective: Objective,
    draws: Sequence[IterationShifts],
    keep_best: bool,
    schedule: Schedule,
) -> tuple[Step, CapturedStep[None]] | None:
    teacher, student = objective.teacher, objective.student
    shifts = DeviceShifts(draws, (teacher.image_shape[1], teacher.image_shape[2]), teacher.device)
    step = Step(
        copy.deepcopy(source, {id(kept): kept for kept in (teacher, source.draws)}),
        replace(objective, labels=objective.labels.clone()),
        shifts,
        len(draws),
        keep_best,
        schedule,
    )
    networks = [teacher.model, *([student] if isinstance(student, nn.Module) else [])]
    captured = try_capture(step, teacher.device, step.state, networks, "the inversion")
    return None if captured is None else (step, captured)


def _capture_key(source: ImageSource, objective: Objective) -> tuple[Any, ...]:
    """All that the captured operations depend on, and the address of every tensor not copied.

    The student's weights may change in place between batches. The teacher's may not, as tensors
    derived from them are captured too.
    """
    teacher, student = objective.teacher, objective.student
    loss = [getattr(objective, f.name) for f in fields(objective) if f.name != "labels"]
    copied = [_layout(tensor) for tensor in (*source.tensors(), objective.labels)]
    versions = [tensor._version for tensor in _tensors(teacher.model)]
    networks = [teacher.model, *([student] if isinstance(student, nn.Module) else [])]
    addresses = [(t.data_ptr(), _layout(t)) for network in networks for t in _tensors(network)]
    modes = [module.training for network in networks for module in network.modules()]
    cudnn = torch.backends.cudnn
    switches = (
        torch.are_deterministic_algorithms_enabled(),
        cudnn.enabled,
        cudnn.benchmark,
        cudnn.deterministic,
    )
    return type(source), teacher.precision, *loss, copied, versions, addresses, modes, switches


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def _tensors(network: nn.Module) -> list[Tensor]:
    return list(chain(network.parameters(), network.buffers()))
