"""CMI, contrastive model inversion (Fang et al., IJCAI 2021).

For every batch a generator is initialised anew and trained together with its latents; besides
cross-entropy, R_BN and a term against the student, each image should be told from all others, of
this batch and of earlier ones: a crop of it should lie next to the whole in a learned projection of
the teacher's features.

Differs from the official code: a memory that is exactly full is full, not empty (there the loss is
NaN for a batch, which then keeps its first iterate); features are remembered as float16; the
student is the one after the last epoch, not the best on the test set. The paper's text was not at
hand: where it differs from the code, this is the code.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.bank_losses import Terms
from baselines.bank_training import BankSynthesizer
from baselines.batch_images import BatchImages
from baselines.feature_memory import FeatureMemory
from baselines.named_tensors import load_tensors, part, tensors_of
from baselines.teacher_features import FeatureTaps, Taps
from naturalinversion import priors
from naturalinversion.augmentation import resized_crop, sample_resized_crops
from naturalinversion.seeds import derive, generator, seeded
from naturalinversion.teacher.observation import Observation
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.validation import above_zero, at_least

AREA, ASPECT = (0.25, 1.0), (3 / 4, 4 / 3)  # of the local view


@dataclass(kw_only=True)
class CMI(BankSynthesizer):
    """The synthesizer. Defaults are the official preset "scratch", with batches of 256.

    ``contrast`` is the weight of the contrastive term, without which neither head nor memory is
    made; ``contrast_temperature`` divides its cosines, ``projection`` is the number of values that
    the head gives an image. ``taps`` names the inputs whose means over pixels are an image's
    features: those of all batch norms, or of the four stages (``layer1`` to ``layer4``), as the
    official code has it for ResNet-34. ``memory`` images are remembered, ``negatives`` of them
    drawn in each step.
    """

    epochs: int = 200
    inner_steps: int = 200
    rate_generator: float = 1e-3
    rate_latent: float = 1e-3
    draw_labels: bool = True
    contrast: float = 0.8
    contrast_temperature: float = 0.1
    taps: Taps = "batch norms"
    projection: int = 256
    memory: int = 40_960
    negatives: int = 4096

    terms: ClassVar[tuple[str, ...]] = (*BankSynthesizer.terms, "contrast")

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "memory", "projection")
        at_least(0, self, "negatives")
        above_zero(self, "contrast_temperature")

    def build(self, seed: int) -> None:
        if not self.contrast:
            return
        teacher = self._teacher
        self._taps = FeatureTaps(teacher, self.taps)
        features = self._taps.features
        with seeded(derive(seed, "head")):
            self._head = self._build_head(features)
        self._head.to(teacher.device, self._taps.dtype)
        self._head_optimizer = torch.optim.Adam(self._head.parameters(), lr=self.rate_generator)
        self._memory = FeatureMemory(self.memory, features, teacher.device, self.room)

    def more_bytes(self, teacher: Teacher, images: int) -> int:
        """The remembered features, and the head with its gradient and Adam's two moments."""
        if not self.contrast:
            return 0
        taps = FeatureTaps(teacher, self.taps)
        with torch.device("meta"):
            head = sum(weight.numel() for weight in self._build_head(taps.features).parameters())
        rows = 2 * torch.float16.itemsize * taps.features * min(self.memory, images)
        return rows + 4 * taps.dtype.itemsize * head

    def observe(self, view: Tensor) -> Observation:
        if not self.contrast:
            return super().observe(view)
        return self._taps.observe(view)

    def images(self, number: int, latents: Tensor, seed: int) -> BatchImages:
        network = self.pixel_generator(seed, _initialise)
        return _ContrastedImages(self, network, latents, generator(derive(seed, "negatives")))

    def state_dict(self) -> dict[str, Tensor]:
        found = super().state_dict()
        if not self.contrast:
            return found
        found |= tensors_of(self._head_optimizer, "head_optimizer")
        found |= {f"head.{name}": tensor for name, tensor in self._head.state_dict().items()}
        return found | {f"memory.{n}": tensor for n, tensor in self._memory.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        if not self.contrast:
            return
        self._head.load_state_dict(part(state, "head"))
        load_tensors(self._head_optimizer, state, "head_optimizer")
        self._memory.load_state_dict(part(state, "memory"))

    def _build_head(self, features: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(features, features), nn.ReLU(), nn.Linear(features, self.projection)
        )


class _ContrastedImages(BatchImages):
    """A batch's own generator, and the contrast of its images with all others."""

    def __init__(
        self, method: CMI, network: nn.Module, latents: Tensor, negatives: torch.Generator
    ) -> None:
        super().__init__(network, latents, (method.rate_generator, method.rate_latent))
        self.method, self.negatives = method, negatives
        self.rows: list[Tensor] = []

    def more_terms(self, pixels: Tensor, draws: torch.Generator) -> Terms:
        method = self.method
        if not method.contrast:
            return {}
        teacher, whole = method._teacher, method._taps.last
        crops = sample_resized_crops(
            len(pixels),
            (pixels.shape[-2], pixels.shape[-1]),
            area=AREA,
            aspect=ASPECT,
            flip=method.flip,
            generator=draws,
        )
        # With statistics, which nobody reads: without them gradients to the crop round otherwise.
        method._taps.observe(teacher.normalize(resized_crop(pixels, crops)))
        local = method._taps.last
        self.rows = [local.detach(), whole.detach()]
        earlier = method._memory.sample(method.negatives, self.negatives).to(local.dtype)
        anchors = F.normalize(method._head(torch.cat([local, earlier[:, 0]])), dim=1)
        with torch.no_grad():
            others = F.normalize(method._head(torch.cat([whole, earlier[:, 1]])), dim=1)
        term = priors.contrast(anchors, others, len(local), method.contrast_temperature)
        return {"contrast": term}

    def beside(self) -> list[Tensor]:
        return self.rows

    def step(self, total: Tensor, last: bool) -> None:
        if not self.method.contrast:
            super().step(total, last)
            return
        self.method._head_optimizer.zero_grad(set_to_none=True)
        super().step(total, last)
        self.method._head_optimizer.step()

    def finish(self, kept: list[Tensor]) -> None:
        if kept:
            self.method._memory.add(torch.stack(kept, dim=1))


def _initialise(module: nn.Module) -> None:
    """The official code's: small weights, gains round one, no biases."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
