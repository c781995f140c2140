"""Batches of images and steps of the student in turn, the base of CMI and Fast-DFKD.

A subclass says where a batch's images come from and what else they minimise (`BatchImages`). This
class does the loop over them, keeps the iterate with the lowest loss, adds it to the bank, and
trains the student on all images so far (`BankStudent`). What a batch leaves to the next is in
`state_dict`; the bank itself is the stored batches.
"""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from baselines.bank_losses import LowestLoss, Terms, check_finite
from baselines.bank_settings import BankSettings
from baselines.bank_student import BankStudent, random_view
from baselines.batch_images import BatchImages
from baselines.image_bank import ImageBank
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import priors
from naturalinversion.errors import NaturalInversionWarning, SettingError
from naturalinversion.loss_weights import weighted_sum
from naturalinversion.memory import require_memory
from naturalinversion.module_modes import frozen
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded, to_device
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.synthesis.sequence import EarlierBatches
from naturalinversion.teacher.observation import Observation
from naturalinversion.teacher.teacher import Teacher


@dataclass(kw_only=True)
class BankSynthesizer(BankSettings, ABC):
    """Batches whose images stay in a bank, each followed by the student's steps on all of it."""

    student_use: ClassVar[StudentUse] = "joint"
    sequential: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._asked = 0

    @property
    def room(self) -> int:
        """The batches that the bank is for: all, or as many as `begin` was told."""
        return self._asked or self.epochs

    def begin(self, teacher: Teacher, batches: int, batch_size: int) -> None:
        """Raises `SettingError` for more batches than epochs, and what `require_memory` does.

        Warns where all batches are of the warm-up, in which the student is not trained.
        """
        if batches > self.epochs:
            raise SettingError(
                f"{batches} batches: the schedule ends with epoch {self.epochs}, one batch each"
            )
        if batches <= self.warmup:
            warnings.warn(
                "the student stays as it is: its training begins after "
                f"{self.warmup} batches of warm-up, and {batches} are asked for",
                NaturalInversionWarning,
                stacklevel=4,
            )
        self._asked = batches
        images = batches * batch_size
        size = images * math.prod(teacher.image_shape) + self.more_bytes(teacher, images)
        what = f"the bank of {images:,} images that {type(self).__name__} keeps"
        require_memory(size, what, teacher.device)

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Set the teacher and the student, whose training begins with the first batches."""
        assert student is not None, (
            "synthesize() raises SettingError for a joint method without a student"
        )
        self._teacher = teacher
        self._student = BankStudent(teacher, student, self)
        self._bank = ImageBank(teacher, self.room)
        self.build(seed)

    @abstractmethod
    def build(self, seed: int) -> None:
        """Networks that all batches share."""

    @abstractmethod
    def images(self, number: int, latents: Tensor, seed: int) -> BatchImages:
        """The images of batch ``number``; ``latents`` (N, Z) are drawn for it."""

    def pixel_generator(
        self, seed: int, initialise: Callable[[nn.Module], None] | None = None
    ) -> UnconditionalGenerator:
        """A generator of pixels in [0, 1] where the teacher is, from the weights of ``seed``."""
        teacher = self._teacher
        with seeded(derive(seed, "generator")):
            network = UnconditionalGenerator(
                self.latent,
                image_size=teacher.image_shape[1:],
                channels=teacher.image_shape[0],
                width=self.generator_width,
                pixels=True,
            )
            if initialise is not None:
                network.apply(initialise)
        network.to(teacher.device, teacher.dtype)
        return network.to(memory_format=torch.channels_last)

    def observe(self, view: Tensor) -> Observation:
        """The teacher's pass over the views that all terms are on."""
        return self._teacher.observe(view, statistics=True)

    def more_bytes(self, teacher: Teacher, images: int) -> int:
        """What the method keeps beside the bank."""
        return 0

    def follow(self, earlier: EarlierBatches) -> None:
        """Bring the bank to the batches that are stored."""
        self._bank.follow(earlier)

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """The next batch (N, C, H, W); trains the student on it and all before.

        Losses are unweighted, one value per step of the images, and their weighted sum ``total``.
        Raises `DivergedError` naming the term and the step.
        """
        number = self._bank.batches
        if self.draw_labels:
            draws = generator(derive(seed, "labels"))
            drawn = torch.randint(self._teacher.num_classes, labels.shape, generator=draws)
            labels = to_device(drawn, labels.device)
        pixels, losses = self._synthesise(number, labels, seed, progress)
        images = self._bank.append(pixels, truncate=self.truncate)
        if number >= self.warmup:
            self._student.train(self._bank, number, seed, progress)
        else:
            progress(self.student_steps)
        return Batch(images, labels, losses)

    def state_dict(self) -> dict[str, Tensor]:
        """The student and its optimiser."""
        return self._student.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load the student and its optimiser."""
        self._student.load_state_dict(state)

    def _synthesise(
        self, number: int, labels: Tensor, seed: int, progress: Progress
    ) -> tuple[Tensor, Terms]:
        """Pixels (N, C, H, W) of the iterate with the lowest loss, and the history of each term.

        Terms are unweighted, one value per step (``inner_steps``,); ``total`` is the weighted sum.
        """
        teacher, student = self._teacher, self._student.network
        drawn = torch.randn(len(labels), self.latent, generator=generator(derive(seed, "latents")))
        latents = to_device(drawn, teacher.device).to(teacher.dtype)
        made = self.images(number, latents, seed)
        draws = generator(derive(seed, "views"))
        lowest, rows = LowestLoss(), []
        with frozen(student), compute_in(teacher.device, teacher.precision):
            for step in range(self.inner_steps):
                pixels = made.render()
                view = teacher.normalize(random_view(pixels, self.crop, self.flip, draws))
                seen = self.observe(view)
                # Widened once: the gradients of two terms are summed before they are rounded.
                logits = seen.logits.to(torch.promote_types(seen.logits.dtype, torch.float32))
                terms = {}
                if self.cross_entropy:
                    terms["cross_entropy"] = priors.cross_entropy(logits, labels)
                if self.bn_statistics:
                    terms["bn_statistics"] = made.bn_statistics(seen)
                if self.adversarial and number + 1 >= self.warmup:
                    against = priors.agreeing_divergence(student(view), logits)
                    terms["adversarial"] = -against
                terms |= made.more_terms(pixels, draws)
                total = weighted_sum(self, terms)
                lowest.offer(total, [pixels, *made.beside()])
                made.step(total, last=step == self.inner_steps - 1)
                terms["total"] = total
                rows.append({name: term.detach() for name, term in terms.items()})
                progress(1)
        losses = {name: torch.stack([row[name] for row in rows]).cpu() for name in rows[0]}
        for name, history in losses.items():
            check_finite(name, history)
        kept = lowest.tensors
        made.finish(kept[1:])
        return kept[0], losses
