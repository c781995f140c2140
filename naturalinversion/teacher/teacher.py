"""The frozen classifier that is inverted, and what one forward pass through it returns."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion import priors
from naturalinversion.classifiers.ready import load_ready
from naturalinversion.errors import TeacherError
from naturalinversion.precision import Precision
from naturalinversion.priors import LayerStatistics
from naturalinversion.teacher.accelerated_forward import AcceleratedForward
from naturalinversion.teacher.stacked_moments import StackedMoments
from naturalinversion.teacher.stages import Stage, find_stages

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)


@dataclass(frozen=True)
class Observation:
    """One forward pass of N images through a teacher with K classes."""

    logits: Tensor  # (N, K)
    statistics: tuple[LayerStatistics, ...] = ()  # one per batch norm, in order of execution
    maps: tuple[Tensor, ...] = ()  # (N, C_l, H_l, W_l), fine to coarse
    embedding: Tensor | None = None  # (N, D), the input of the last linear layer
    stacked: StackedMoments | None = None  # the statistics stacked over layers, on a GPU

    def bn_statistics(self) -> Tensor:
        """R_BN (Eq. 3), as `priors.bn_statistics` of ``statistics``."""
        if self.stacked is not None:
            return self.stacked.distance()
        return priors.bn_statistics(self.statistics)


class Teacher:
    """A classifier in eval mode with frozen weights, and the images it was trained on.

    ``model`` is any module with `torch.nn.BatchNorm2d` that maps normalised images (N, 3, H, W) to
    logits (N, K). ``mean`` and ``std`` are those of its training pipeline, per channel, for pixels
    in [0, 1]. Raises `TeacherError` when the model has no batch norm, does not take images of
    ``image_shape``, or does not return ``num_classes`` logits.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        mean: Sequence[float] = CIFAR10_MEAN,
        std: Sequence[float] = CIFAR10_STD,
        smallest_stage: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        if len(mean) != image_shape[0] or len(std) != image_shape[0] or min(std) <= 0:
            raise TeacherError(f"mean and std need {image_shape[0]} values each, std above zero")
        self.model = model.eval().requires_grad_(False)
        self.model.to(memory_format=torch.channels_last)
        self.precision = precision
        self.num_classes = num_classes
        self.image_shape = image_shape
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        self._norms = [m for m in norms if m.running_mean is not None]
        if not self._norms:
            raise TeacherError(
                "the classifier has no BatchNorm2d with running statistics: nothing records the "
                "statistics of its training images, so it can't be inverted"
            )
        self.stages: tuple[Stage, ...] = self._probe(smallest_stage)
        hooked = {stage.module for stage in self.stages}
        self._accelerated = AcceleratedForward(model, self._norms, hooked)
        self._modules = dict(model.named_modules())
        linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
        self._head = linears[-1] if linears else None

    @classmethod
    def ready(
        cls, name: str, *, device: torch.device | str = "cpu", precision: Precision = "fp32"
    ) -> "Teacher":
        """One of the classifiers that come with the library, such as ``cifar10-vgg11``.

        Raises `UsageError` for another name, with the list, or when its file is damaged.
        """
        model, classifier = load_ready(name)
        return cls(
            model.to(device),
            num_classes=classifier.num_classes,
            image_shape=(3, classifier.image_size, classifier.image_size),
            mean=classifier.mean,
            std=classifier.std,
            precision=precision,
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (N, K) of normalised images (N, C, H, W)."""
        with self._accelerated.enabled(statistics=False):
            return self._logits(images)

    def refresh(self) -> None:
        """Recompute all that is cached from the current weights and statistics.

        An eager pass notices changes by itself, except writes through ``.data``. A captured pass
        does not: call this before it is replayed for another batch.
        """
        self._accelerated.refresh()

    def observe(
        self,
        images: Tensor,
        *,
        statistics: bool = False,
        maps: bool = False,
        embedding: bool = False,
    ) -> Observation:
        """One forward pass of images (N, C, H, W); the hooks it needs are removed when it returns.

        Gradients flow to ``images`` through everything returned, unless autograd is off. Raises
        `TeacherError` for ``embedding`` of a classifier without a linear layer.
        """
        if embedding and self._head is None:
            raise TeacherError("the classifier has no linear layer, so it has no embedding")
        found: dict[str, list[Tensor]] = {}
        head: list[Tensor] = []
        handles = []
        with self._accelerated.enabled(statistics=statistics) as recorded:
            if maps:
                for name in {stage.module for stage in self.stages}:
                    hook = _output_hook(found.setdefault(name, []))
                    handles.append(self._modules[name].register_forward_hook(hook))
            if embedding and self._head is not None:
                handles.append(self._head.register_forward_pre_hook(lambda m, i: head.append(i[0])))
            try:
                logits = self._logits(images)
            finally:
                for handle in handles:
                    handle.remove()
        return Observation(
            logits,
            tuple(recorded.values()),
            tuple(found[s.module][s.call] for s in self.stages) if maps else (),
            head[-1] if embedding else None,
            recorded.stacked,
        )

    def normalize(self, pixels: Tensor) -> Tensor:
        """Pixels in [0, 1] (N, C, H, W) to teacher space."""
        mean, std = self._channels(pixels)
        return (pixels - mean) / std

    def denormalize(self, images: Tensor) -> Tensor:
        """Teacher space back to pixels, which may lie outside [0, 1]."""
        mean, std = self._channels(images)
        return images * std + mean

    @property
    def fingerprint(self) -> str:
        """sha256 of weights, buffers, normalisation, classes and image shape."""
        digest = hashlib.sha256(
            repr((self.mean, self.std, self.num_classes, self.image_shape)).encode()
        )
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tensor.dtype}".encode())
            content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(content.numpy().tobytes())
        return digest.hexdigest()

    @property
    def batch_norm_count(self) -> int:
        """How many layers take part in R_BN."""
        return len(self._norms)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images.contiguous(memory_format=torch.channels_last))
        return logits

    def _channels(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, 1, 1)
        return like.new_tensor(self.mean).view(shape), like.new_tensor(self.std).view(shape)

    def _probe(self, smallest_stage: int | None) -> tuple[Stage, ...]:
        probe = torch.zeros(1, *self.image_shape, device=self.device, dtype=self.dtype)
        try:
            with torch.no_grad():
                logits = self.model(probe)
        except Exception as error:  # whatever the network raises for images of a wrong shape
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise TeacherError(
                f"the classifier does not take images of shape {self.image_shape}: {reason}"
            ) from error
        if not isinstance(logits, Tensor) or logits.shape != (1, self.num_classes):
            shape = tuple(logits.shape[1:]) if isinstance(logits, Tensor) else type(logits).__name__
            raise TeacherError(
                f"the classifier returns {shape} for an image, not {self.num_classes} logits"
            )
        return find_stages(self.model, probe, smallest_stage)


def _output_hook(found: list[Tensor]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        found.append(output)

    return hook
