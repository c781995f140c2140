"""State of the joint training of generator and student, for DAFL and DFAD."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from baselines.joint_settings import JointSettings
from baselines.trained_weights import trained_weights
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion.errors import DivergedError
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.optimizers import load_optimizer, rate_on, set_rate, state_of
from naturalinversion.teacher.teacher import Teacher


class JointState:
    """Networks, optimisers and loss history of a training; `state_dict` is its checkpoint.

    Of the student those weights are trained that are trainable. Raises `SettingError` if none is.
    """

    def __init__(
        self,
        teacher: Teacher,
        student: nn.Module,
        network: UnconditionalGenerator,
        settings: JointSettings,
    ) -> None:
        self.teacher, self.student, self.generator = teacher, student, network
        self.settings = settings
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        device = teacher.device
        self.generator_optimizer = torch.optim.Adam(
            network.parameters(),
            lr=rate_on(device, settings.rate_generator),
            fused=True,
            capturable=supports_capture(device),
        )
        self.student_optimizer = torch.optim.SGD(
            trained_weights(student),
            lr=rate_on(device, settings.rate_student),
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def tensors(self) -> list[Tensor]:
        """The tensors that a step updates."""
        found: list[Tensor] = []
        for network in (self.generator, self.student):
            found += [*network.parameters(), *network.buffers()]
        for optimizer in (self.generator_optimizer, self.student_optimizer):
            found += state_of(optimizer)
        return found

    def begin_epoch(self, progress: float) -> None:
        """Set training mode and the learning rates for ``progress`` in [0, 1)."""
        self.student.train()
        self.generator.train()
        settings = self.settings
        drop = settings.gamma ** sum(progress >= milestone for milestone in settings.milestones)
        set_rate(self.student_optimizer, settings.rate_student * drop)
        generator_drop = drop if settings.generator_schedule else 1.0
        set_rate(self.generator_optimizer, settings.rate_generator * generator_drop)

    def end_epoch(self, rows: list[dict[str, Tensor]]) -> None:
        """Record the mean of each loss term over ``rows``, one per step. Raises `DivergedError`."""
        means = {name: torch.stack([row[name] for row in rows]).mean().item() for name in rows[0]}
        for name, value in means.items():
            if not math.isfinite(value):
                raise DivergedError(f"{name} became {value} in epoch {self.epoch}")
        self.history.append(means)
        self.epoch += 1

    def losses(self) -> dict[str, Tensor]:
        """Each term's mean per epoch (epochs,), without its weight."""
        return {n: torch.tensor([row[n] for row in self.history]) for n in self.history[0]}

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "history": self.history,
            "generator": self.generator.state_dict(),
            "student": self.student.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "student_optimizer": self.student_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.history = state["epoch"], state["history"]
        self.generator.load_state_dict(state["generator"])
        self.student.load_state_dict(state["student"])
        load_optimizer(self.generator_optimizer, state["generator_optimizer"])
        load_optimizer(self.student_optimizer, state["student_optimizer"])
