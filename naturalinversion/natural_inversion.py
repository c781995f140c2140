"""NaturalInversion (Kim et al., AAAI 2022): one generator per batch, a pyramid over the teacher's
features, and a learned scale per image and channel.

Algorithm 1: for every batch, generator, pyramid and alpha start anew and one latent is drawn; each
iteration renders alpha * P(G(z, y)) and takes one step of all three on Eq. 8.

Differs from the paper where the official code does: the teacher's features are constants (no
gradient into the generator through them), the image is jittered before the pyramid and again before
the loss, R_BN has a factor (10 on CIFAR-10, 3 on CIFAR-100), and the image kept is the one with the
lowest loss. Differs from the official code: every batch has its own seed, and K classes are K
where the code has 10.
"""

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from naturalinversion.errors import NaturalInversionWarning, SettingError
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.generated_images import GeneratedImages
from naturalinversion.generator.pyramid import FeatureTransferPyramid, Head
from naturalinversion.inversion.invert import Keep
from naturalinversion.inversion.method import InversionMethod
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded
from naturalinversion.synthesis import Batch, StudentUse, Training, balanced_labels
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.validation import above_zero, at_least, finite

SharedLatents = Literal["every step", "once"]
BareHead = Literal["auto", "conv_tanh", "tanh", "none"]


@dataclass(kw_only=True)
class NaturalInversion(InversionMethod):
    """The synthesizer, with the options that the paper's Tables 3 and 4 vary.

    Defaults are the published values for CIFAR-10 with ResNet-34 and batches of 256.
    Without ``one_to_one``, one generator is trained in `prepare` for ``iterations`` steps of
    ``shared_batch`` images, with latents drawn in each step or once; every batch is a sample of it,
    and its losses are those of that training; of its iterates the last is kept, whatever ``keep``
    says. With ``carried`` as well as ``one_to_one`` a batch
    begins with the generator and pyramid that the last one ended with, its kept iterate; latents,
    alpha and optimisers are new: the method is sequential then.
    Without ``pyramid`` the generator's image goes through ``bare_head``: ``auto`` is tanh, or
    nothing if there is no ``channel_scaling`` either. Without that the scale is ``fixed_scale``.
    The paper leaves these cases of its Table 3 open.

    The generator reads ``latent`` normal values and a one-hot label; its channels are
    ``generator_width`` times the published ones. ``rate_generator``, ``rate_pyramid`` and
    ``rate_scaling`` are Adam's learning rates of generator, pyramid and alpha. ``pyramid_stages``
    are the feature maps that the pyramid reads, 1 the finest (Table 4), None: all;
    ``pyramid_head`` is what follows it (``conv_tanh`` as in the official code, ``none`` as Eq. 7
    is printed).
    ``feature_gradient``: the features are no constants, the generator learns through the teacher
    too. ``shared_latents`` of a shared generator are drawn "every step" or "once".
    """

    latent: int = 1024
    generator_width: float = 1.0
    rate_generator: float = 1e-3
    rate_pyramid: float = 5e-4
    rate_scaling: float = 0.05
    total_variation: float = 6e-3
    l2: float = 1.5e-5
    flip: bool = True
    keep: Keep = "best"
    one_to_one: bool = True
    carried: bool = False
    shared_batch: int = 256
    pyramid: bool = True
    pyramid_stages: tuple[int, ...] | None = None
    pyramid_head: Head = "conv_tanh"
    feature_gradient: bool = False
    channel_scaling: bool = True
    shared_latents: SharedLatents = "every step"
    bare_head: BareHead = "auto"
    fixed_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._shared: dict[str, Tensor] = {}
        self._losses: dict[str, Tensor] = {}
        at_least(1, self, "latent")
        at_least(2, self, "shared_batch")
        at_least(0, self, "rate_generator", "rate_pyramid", "rate_scaling")
        above_zero(self, "generator_width")
        finite(self, "fixed_scale")
        if self.carried and not self.one_to_one:
            raise SettingError("carried: a shared generator is not trained on from batch to batch")

    @property
    def sequential(self) -> bool:
        """Whether a batch builds on the one before."""
        return self.carried

    @property
    def prepare_steps(self) -> int:
        """Optimisation steps of `prepare`."""
        return 0 if self.one_to_one else self.iterations

    @property
    def prepare_batch_size(self) -> int:
        """Images in each of them."""
        return self.shared_batch

    def with_iterations(self, iterations: int, batch_size: int) -> Self:
        """The same method with so many iterations, to be timed; a shared generator's on a batch."""
        return replace(self, iterations=iterations, shared_batch=batch_size)

    def begin(self, teacher: Teacher, batches: int, batch_size: int) -> None:
        """Raises `SettingError` for batches that the shared generator's α does not fit."""
        if self.channel_scaling and not self.one_to_one and batch_size != self.shared_batch:
            raise SettingError(
                f"the shared generator scales {self.shared_batch} images, not {batch_size}: set "
                "shared_batch to the batch size"
            )

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Set the teacher and the student to compete with; train the shared generator, if any.

        Raises `SettingError` for images that the generator can't make, and for a pyramid over a
        classifier without feature maps. Warns where a teacher leaves out coarse ones.
        """
        self._set_networks(teacher, student)
        if self.pyramid and teacher.left_out:
            sizes = [f"{height}x{width}" for height, width in (s.size for s in teacher.left_out)]
            warnings.warn(
                f"the pyramid reads {len(teacher.stages)} resolutions of the classifier, none of "
                f"{' and '.join(sizes)} pixels, which smallest_stage of Teacher leaves out: "
                f"{min(teacher.left_out[-1].size)} takes them in",
                NaturalInversionWarning,
                stacklevel=2,
            )
        with torch.device("meta"):  # sizes are checked, nothing is computed
            self._networks()
        self._shared = {}
        if self.one_to_one:
            return
        saved = training.restore()
        if saved is None:
            labels = balanced_labels(self.shared_batch, teacher.num_classes, derive(seed, "labels"))
            resample = self.shared_latents == "every step"
            source = self.source(labels.to(teacher.device), seed, resample=resample)
            made = self._invert(source, labels.to(teacher.device), seed, training.progress, "last")
            self._captured.release()  # batches only render
            saved = {"source": source.state_dict(), "losses": made.losses}
            training.save(saved)
        else:
            training.progress(self.iterations)
        self.load_state_dict(saved["source"])
        self._losses = saved.get("losses", {})

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """One batch (N, C, H, W) for ``labels`` (N,), from its own generator or the shared one."""
        source = self.source(labels, seed)
        if self.one_to_one:
            source.load_state_dict(self._shared, strict=False)
            result = self._invert(source, labels, seed, progress, self.keep)
            if self.carried:
                ended = source.state_dict().items()
                self._shared = {name: tensor for name, tensor in ended if name != "scale"}
            return Batch(result.images, labels, result.losses)
        source.load_state_dict(self._shared)
        with torch.no_grad(), compute_in(self._teacher.device, self._teacher.precision):
            images = source.render(None)
        return Batch(images.to(self._teacher.dtype), labels, dict(self._losses))

    def state_dict(self) -> dict[str, Tensor]:
        """The shared generator, pyramid and scale, or what is carried; else empty."""
        return dict(self._shared)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load the shared generator; the losses of its training are not part of the state."""
        self._shared = dict(state)
        self._losses = {}

    def source(self, labels: Tensor, seed: int, resample: bool = False) -> GeneratedImages:
        """Generator, pyramid, alpha and latents of a batch, freshly initialised."""
        teacher = self._teacher
        with seeded(derive(seed, "networks")):
            network, pyramid = self._networks()
            head = None if self.pyramid else self._bare_head()
            scale = torch.randn(len(labels), teacher.image_shape[0], 1, 1) + 5.0
            latent = torch.randn(len(labels), self.latent)
        source = GeneratedImages(
            teacher,
            network,
            pyramid,
            scale if self.channel_scaling else self.fixed_scale,
            output_head=head,
            latent=latent.to(teacher.device, teacher.dtype),
            labels=labels,
            rates=(self.rate_generator, self.rate_pyramid, self.rate_scaling),
            feature_gradient=self.feature_gradient,
            draws=generator(derive(seed, "latents")) if resample else None,
        )
        source.to(teacher.device, teacher.dtype)
        return source.to(memory_format=torch.channels_last)

    def _networks(self) -> tuple[ConditionalGenerator, FeatureTransferPyramid | None]:
        """Generator and pyramid, initialised from the global random state."""
        teacher = self._teacher
        channels, height, width = teacher.image_shape
        network = ConditionalGenerator(
            teacher.num_classes,
            latent=self.latent,
            image_size=(height, width),
            width=self.generator_width,
            channels=channels,
        )
        if not self.pyramid:
            return network, None
        pyramid = FeatureTransferPyramid(
            teacher.stages,
            (height, width),
            channels=channels,
            used=self.pyramid_stages,
            head=self.pyramid_head,
        )
        return network, pyramid

    def _bare_head(self) -> nn.Module | None:
        head = self.bare_head
        if head == "auto":
            head = "tanh" if self.channel_scaling else "none"
        channels = self._teacher.image_shape[0]
        mix = [nn.Conv2d(channels, channels, 1)] if head == "conv_tanh" else []
        return None if head == "none" else nn.Sequential(*mix, nn.Tanh())


@dataclass(kw_only=True)
class AdaptiveNaturalInversion(NaturalInversion):
    """NaturalInversion plus ADI's competition term: the paper's "A-ours".

    The paper mentions it in one sentence; the factor is ADI's (Yin et al., 2020).
    """

    compete: float = 10.0

    student_use: ClassVar[StudentUse] = "compete"
