"""Batches of images and steps of the student in turn, the base of CMI and Fast-DFKD.

A subclass says where a batch's images come from and what else they minimise. This class does the
loop over them, keeps the iterate with the lowest loss, adds it to the bank, and trains the student
on all images so far (Hinton et al., 2015). What a batch leaves to the next is in `state_dict`; the
bank itself is the stored batches.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.image_bank import ImageBank
from baselines.optimizer_tensors import load_tensors, tensors_of
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import priors
from naturalinversion.augmentation import crop_and_flip, normalise, sample_crop_flips
from naturalinversion.errors import DivergedError, SettingError
from naturalinversion.inversion.optimizers import set_rate
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded, to_device
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.synthesis.sequence import EarlierBatches, require_memory
from naturalinversion.teacher.teacher import Observation, Teacher
from naturalinversion.validation import above_zero, at_least

Terms = dict[str, Tensor]
BETAS = (0.5, 0.999)  # of Adam for images and generators


class BatchImages:
    """The images of one batch while they are optimised: a generator's, and latents (N, Z).

    A subclass adds terms, or another step.
    """

    def __init__(self, network: nn.Module, latents: Tensor, rates: tuple[float, float]) -> None:
        self.network, self.latents = network.train(), latents.requires_grad_()
        groups = [
            {"params": list(network.parameters()), "lr": rates[0]},
            {"params": [self.latents], "lr": rates[1]},
        ]
        self.optimizer = torch.optim.Adam(groups, betas=BETAS)

    def render(self) -> Tensor:
        """Pixels (N, 3, H, W) in [0, 1]."""
        pixels: Tensor = self.network(self.latents)
        return pixels.to(self.latents.dtype)

    def bn_statistics(self, seen: Observation) -> Tensor:
        """R_BN of a pass through the teacher."""
        return seen.bn_statistics()

    def more_terms(self, pixels: Tensor, draws: torch.Generator) -> Terms:
        """Further loss terms of the method by name, with their weights."""
        return {}

    def beside(self) -> list[Tensor]:
        """What is kept together with the best iterate's pixels."""
        return []

    def step(self, total: Tensor, last: bool) -> None:
        """Minimise ``total`` by one step; ``last``: the batch's last one."""
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def finish(self, kept: list[Tensor]) -> None:
        """After the last step; ``kept`` is what was `beside` the best iterate."""


@dataclass(kw_only=True)
class BankSynthesizer(ABC):
    """Make ``epochs`` batches in all, each in ``inner_steps``, followed by ``student_steps``.

    After ``warmup`` batches, which only fill the bank, the student's learning rate falls in a
    cosine from ``rate_student`` to ``rate_student_end``; the adversarial term starts one batch
    earlier. ``draw_labels``: classes drawn at random in place of the balanced ones asked for.
    ``truncate``: pixels are stored rounded down, as the official codes do, or to the nearest.
    Images and views are cropped from ``crop`` black pixels around them and mirrored if ``flip``.
    """

    epochs: int
    inner_steps: int
    student_steps: int = 400
    student_batch: int = 256
    latent: int = 256
    generator_width: float = 1.0
    rate_generator: float
    rate_latent: float
    one_hot: float = 1.0
    bn_statistics: float = 1.0
    adversarial: float = 0.5
    warmup: int = 0
    rate_student: float = 0.1
    rate_student_end: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    temperature: float = 20.0
    crop: int = 4
    flip: bool = True
    draw_labels: bool = False
    truncate: bool = True

    student_use: ClassVar[StudentUse] = "joint"
    sequential: ClassVar[bool] = True

    _teacher: Teacher = field(init=False, repr=False)
    _student: nn.Module = field(init=False, repr=False)
    _optimizer: torch.optim.Optimizer = field(init=False, repr=False)
    _bank: ImageBank = field(init=False, repr=False)

    def __post_init__(self) -> None:
        at_least(1, self, "epochs", "inner_steps", "latent")
        at_least(2, self, "student_batch")
        at_least(0, self, "rate_generator", "rate_latent", "rate_student", "rate_student_end")
        at_least(0, self, "student_steps", "warmup", "crop", "momentum", "weight_decay")
        above_zero(self, "generator_width", "temperature")
        if self.warmup >= self.epochs:
            raise SettingError(f"warmup is {self.warmup}: fewer than the {self.epochs} epochs")

    @property
    def iterations(self) -> int:
        """Steps of a batch, those of the student included."""
        return self.inner_steps + self.student_steps

    def with_iterations(self, iterations: int, batch_size: int) -> Self:
        """One batch of so many steps, in the proportion of the two kinds, to be timed."""
        inner = max(1, round(iterations * self.inner_steps / self.iterations))
        steps = max(0, iterations - inner)
        return replace(self, epochs=1, warmup=0, inner_steps=inner, student_steps=steps)

    def begin(self, teacher: Teacher, batches: int, batch_size: int) -> None:
        """Raises `SettingError` for more batches than epochs, and where memory does not do."""
        if batches > self.epochs:
            raise SettingError(
                f"{batches} batches: the schedule ends with epoch {self.epochs}, one batch each"
            )
        images = self.epochs * batch_size
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
        self._student = student.to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.SGD(
            student.parameters(),
            lr=self.rate_student,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
        self._bank = ImageBank(teacher, self.epochs)
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
        """The next batch (N, 3, H, W); trains the student on it and all before.

        Raises `DivergedError` naming the term and the step.
        """
        number = self._bank.batches
        if self.draw_labels:
            draws = generator(derive(seed, "labels"))
            drawn = torch.randint(self._teacher.num_classes, labels.shape, generator=draws)
            labels = drawn.to(labels.device)
        pixels, losses = self._synthesise(number, labels, seed, progress)
        images = self._bank.append(pixels, truncate=self.truncate)
        if number >= self.warmup:
            self._train_student(number, seed, progress)
        else:
            progress(self.student_steps)
        return Batch(images, labels, losses)

    def state_dict(self) -> dict[str, Tensor]:
        """The student and its optimiser."""
        found = {f"student.{name}": tensor for name, tensor in self._student.state_dict().items()}
        return found | tensors_of(self._optimizer, "student_optimizer")

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load the student and its optimiser."""
        self._student.load_state_dict(part(state, "student"))
        load_tensors(self._optimizer, state, "student_optimizer")

    def _synthesise(
        self, number: int, labels: Tensor, seed: int, progress: Progress
    ) -> tuple[Tensor, Terms]:
        """Pixels (N, 3, H, W) of the iterate with the lowest loss, and the course of each term."""
        teacher, student = self._teacher, self._student
        student.eval().requires_grad_(False)
        drawn = torch.randn(len(labels), self.latent, generator=generator(derive(seed, "latents")))
        latents = to_device(drawn, teacher.device).to(teacher.dtype)
        made = self.images(number, latents, seed)
        draws = generator(derive(seed, "views"))
        lowest, rows = Lowest(), []
        with compute_in(teacher.device, teacher.precision):
            for step in range(self.inner_steps):
                pixels = made.render()
                view = self._view(pixels, draws)
                seen = self.observe(view)
                logits = seen.logits.float()
                terms = {
                    "cross_entropy": self.one_hot * F.cross_entropy(logits, labels),
                    "bn_statistics": self.bn_statistics * made.bn_statistics(seen),
                }
                if self.adversarial and number + 1 >= self.warmup:
                    against = priors.agreeing_divergence(student(view), logits)
                    terms["adversarial"] = -self.adversarial * against
                terms |= made.more_terms(pixels, draws)
                total = torch.stack(list(terms.values())).sum()
                lowest.offer(total, [pixels, *made.beside()])
                made.step(total, last=step == self.inner_steps - 1)
                rows.append({name: term.detach() for name, term in terms.items()})
                progress(1)
        losses = {name: torch.stack([row[name] for row in rows]).cpu() for name in rows[0]}
        for name, course in losses.items():
            check_finite(name, course)
        kept = lowest.tensors
        made.finish(kept[1:])
        return kept[0], losses

    def _view(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        """A crop of each image, mirrored or not, in teacher space."""
        crops = sample_crop_flips(
            len(pixels), padding=self.crop, flip=self.flip, generator=draws
        ).to(pixels.device)
        black = pixels.new_zeros(pixels.shape[1])
        cropped = crop_and_flip(pixels, crops, padding=self.crop, mode="zeros", fill=black)
        return self._teacher.normalize(cropped)

    def _train_student(self, number: int, seed: int, progress: Progress) -> None:
        teacher, student = self._teacher, self._student
        done = (number - self.warmup) / (self.epochs - self.warmup)
        fall = self.rate_student - self.rate_student_end
        set_rate(self._optimizer, self.rate_student_end + fall * (1 + math.cos(math.pi * done)) / 2)
        student.train().requires_grad_(True)
        mean, std = (torch.tensor(v, device=teacher.device) for v in (teacher.mean, teacher.std))
        draws = generator(derive(seed, "distillation"))
        order = self._bank.order(self.student_steps, self.student_batch, draws)
        rows = []
        with seeded(derive(seed, "dropout")), compute_in(teacher.device, teacher.precision):
            for picked in order:
                crops = sample_crop_flips(
                    len(picked), padding=self.crop, flip=self.flip, generator=draws
                ).to(teacher.device)
                pixels = self._bank.pixels(picked)
                black = pixels.new_zeros(pixels.shape[1])
                pixels = crop_and_flip(pixels, crops, padding=self.crop, mode="zeros", fill=black)
                images = normalise(pixels, mean, std).to(teacher.dtype)
                with torch.no_grad():
                    target = teacher(images)
                loss = priors.distillation(student(images), target, self.temperature)
                loss = self.temperature**2 * loss
                self._optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
                rows.append(loss.detach())
                progress(1)
        student.eval()
        if rows:
            check_finite("distillation", torch.stack(rows).cpu())


class Lowest:
    """The tensors of the step with the lowest loss, chosen without reading it back."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self.tensors: list[Tensor] = []

    def offer(self, total: Tensor, tensors: list[Tensor]) -> None:
        """Keep copies of ``tensors`` if ``total`` is lower than all before; NaN never is."""
        total, tensors = total.detach(), [tensor.detach() for tensor in tensors]
        if self._total is None:
            self._total, self.tensors = total.clone(), [tensor.clone() for tensor in tensors]
            return
        better = total < self._total
        self._total = torch.where(better, total, self._total)
        pairs = zip(tensors, self.tensors, strict=True)
        self.tensors = [torch.where(better, new, kept) for new, kept in pairs]


def check_finite(name: str, course: Tensor) -> None:
    """Raises `DivergedError` for the first value of a term (E,) that is not finite."""
    if not course.isfinite().all():
        step = int((~course.isfinite()).nonzero()[0])
        raise DivergedError(f"{name} became {course[step].item()} at step {step}")


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    start = f"{prefix}."
    return {n.removeprefix(start): tensor for n, tensor in state.items() if n.startswith(start)}
