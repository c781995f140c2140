"""Joint training of a generator and a student, the base of DAFL and DFAD.

A subclass defines one step; this class does epochs, learning-rate drops, seeds (one per epoch, so
that an interrupted run resumes with the same draws), checkpoints and sampling. Latents are drawn on
the host and copied into the tensor that the step reads: a GPU captures it once for the whole run.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from baselines.joint_settings import JointSettings
from baselines.joint_state import JointState
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.foreign_networks import try_capture
from naturalinversion.layout import to_fast_layout
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, refill, seeded
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.teacher.teacher import Teacher


@dataclass(kw_only=True)
class JointSynthesizer(JointSettings, ABC):
    """Train generator and student in `prepare`, then sample the generator: see `JointSettings`."""

    student_use: ClassVar[StudentUse] = "joint"

    @property
    def prepare_steps(self) -> int:
        """Optimisation steps of `prepare`."""
        return self.epochs * self.steps

    @property
    def prepare_batch_size(self) -> int:
        """Images in each of them."""
        return self.batch_size

    def build_generator(self, image_shape: tuple[int, int, int]) -> UnconditionalGenerator:
        """The method's generator of images (C, H, W), freshly initialised."""
        return UnconditionalGenerator(
            self.latent,
            image_size=image_shape[1:],
            channels=image_shape[0],
            width=self.generator_width,
            eps=self.inner_eps,
        )

    @property
    def inner_eps(self) -> float:
        """That of the generator's two inner batch norms."""
        return 1e-5

    @property
    def samples(self) -> int:
        """The number of generator batches in a step."""
        return 1

    @abstractmethod
    def step(self, state: JointState, latents: Tensor) -> dict[str, Tensor]:
        """One step of generator and student; returns the loss terms, unweighted and detached.

        ``generator`` and ``student`` among them are what these two minimise.
        ``latents`` (samples, N, Z) are drawn for each step. A GPU captures this once and replays
        it, so it must not depend on Python values that change, nor read values back.
        """

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Train the generator and, in place, ``student``; resumes from the saved state.

        Frozen weights of the student stay as they are. Raises `SettingError` where all are frozen,
        and `DivergedError` naming the term and the epoch.
        """
        assert student is not None, (
            "synthesize() raises SettingError for a joint method without a student"
        )
        self._teacher = teacher
        self._build(seed)
        state = JointState(teacher, student, self._generator, self)
        to_fast_layout(student, teacher.image_shape)  # by passes that may write to its buffers
        saved = training.restore()
        if saved is not None:
            state.load_state_dict(saved)
            training.progress(state.epoch * self.steps)
        state.begin_epoch(state.epoch / self.epochs)
        latents = torch.zeros(
            self.samples, self.batch_size, self.latent, device=teacher.device, dtype=teacher.dtype
        )
        step = self._step_function(state, latents)
        for epoch in range(state.epoch, self.epochs):
            state.begin_epoch(epoch / self.epochs)
            draws = generator(derive(seed, "epoch", epoch))
            with seeded(derive(seed, "dropout", epoch)):
                rows = []
                for _ in range(self.steps):
                    for latent in latents:
                        refill(latent, torch.randn(latent.shape, generator=draws))
                    rows.append({name: term.clone() for name, term in step().items()})
                    training.progress(1)
            state.end_epoch(rows)
            training.save(state.state_dict())
        student.eval()
        self._losses = state.losses()

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """``len(labels)`` samples of the generator, labelled by the teacher's argmax.

        The generator's batch norms use the sample's own statistics, as in its training. Losses are
        those of the training: unweighted terms, their mean over each epoch (epochs,).
        """
        self._generator.train()
        with torch.no_grad(), compute_in(self._teacher.device, self._teacher.precision):
            images = self._generator.sample(len(labels), generator(seed))
            labels = self._teacher(images).argmax(dim=1)
        return Batch(images.to(self._teacher.dtype), labels, self._losses)

    def _step_function(self, state: JointState, latents: Tensor) -> Callable[[], dict[str, Tensor]]:
        """A step on the current values of ``latents``, captured on a GPU where it can be."""
        teacher = state.teacher

        def step() -> dict[str, Tensor]:
            with compute_in(teacher.device, teacher.precision):
                return self.step(state, latents)

        if not supports_capture(teacher.device):
            return step
        networks = [teacher.model, state.student]
        what = "the joint training"
        captured = try_capture(step, teacher.device, state.tensors, networks, what)
        return captured or step

    def _build(self, seed: int) -> None:
        with seeded(derive(seed, "generator")):
            self._generator = self.build_generator(self._teacher.image_shape)
        self._generator.to(self._teacher.device, self._teacher.dtype)
        self._generator.to(memory_format=torch.channels_last)
