"""The frozen classifier that is inverted."""

import hashlib
from collections.abc import Iterable
from functools import partial
from warnings import warn

import torch
from torch import Tensor, nn

from naturalinversion.classifiers.ready import load_ready
from naturalinversion.classifiers.weights import Classifier
from naturalinversion.digest import update_by_network
from naturalinversion.errors import TeacherError, TeacherWarning
from naturalinversion.precision import Precision, compute_in
from naturalinversion.teacher.accelerated_forward import AcceleratedForward
from naturalinversion.teacher.batch_norms import called_norms
from naturalinversion.teacher.derived_tensors import can_cache, lasting_tensors
from naturalinversion.teacher.growing_attributes import grown_attributes
from naturalinversion.teacher.head import find_head
from naturalinversion.teacher.image_space import (
    check_batch,
    check_channels,
    check_normalisation,
    check_shape,
)
from naturalinversion.teacher.module_calls import module_calls
from naturalinversion.teacher.observation import Observation
from naturalinversion.teacher.observed_pass import check_observed
from naturalinversion.teacher.own_copy import first_tensor
from naturalinversion.teacher.prepared_copy import HALF_PRECISION, prepare_copy
from naturalinversion.teacher.read_outputs import OutputReader
from naturalinversion.teacher.remarks import remarks
from naturalinversion.teacher.repeatability import written_buffers
from naturalinversion.teacher.stages import Stage, find_stages, left_out
from naturalinversion.teacher.students import check_student
from naturalinversion.torch_state import usual_torch_state
from naturalinversion.validation import one_of, whole

LOGITS = 16  # that tell networks with the same weights apart


class Teacher:
    """A classifier in eval mode with frozen weights, and the images it was trained on.

    ``model`` is any module with batch norms that maps normalised images (N, C, H, W) to logits
    (N, K): `torch.nn.BatchNorm2d`, or whatever has ``running_mean`` and ``running_var`` over
    channels. It stays as it is: the teacher works on a copy of its own (``teacher.model``), in eval
    mode, without gradients, not compiled, and with 16-bit weights as float32. ``mean`` and ``std``
    are those of its training pipeline, per channel, for pixels in [0, 1]; without both they are
    CIFAR-10's. ``precision`` is what methods compute in; a single call of the teacher is in the
    caller's. ``stages``, which a feature pyramid reads, are one map of every resolution, fine to
    coarse, with sides of ``smallest_stage`` pixels or more: an eighth of the images' shorter side
    by default, at least two. ``left_out`` are those that the default leaves out of fewer than the
    paper's four.

    Raises `TeacherError` when the model has no batch norm, does not take images of ``image_shape``,
    does not return ``num_classes`` logits, returns others in the next pass or beside another image,
    or can't be observed, for ``mean`` without ``std`` or the reverse, and for another ``precision``
    than fp32, tf32 or bf16. Warns with `TeacherWarning` when its batch norms have not seen an
    image, of those that its forward pass does not call, when ``mean`` is 0 and ``std`` 1, when it
    writes a buffer in eval mode, when an attribute of it grows with every pass, and when a hook of
    the model is no method of it, which the teacher's passes run too.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        mean: Iterable[float] | None = None,
        std: Iterable[float] | None = None,
        smallest_stage: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        channels, height, width = check_shape(image_shape)
        self.mean, self.std = check_normalisation(mean, std, channels)
        self._normalisations: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}
        self.precision = precision
        one_of(Precision, self, "precision", error=TeacherError)
        self.num_classes = whole("num_classes", num_classes, TeacherError)
        self.image_shape = (channels, height, width)
        if smallest_stage is not None:
            smallest_stage = whole("smallest_stage", smallest_stage, TeacherError)
            if smallest_stage < 1:
                raise TeacherError(f"smallest_stage is {smallest_stage}: 1 or more")
        with usual_torch_state():
            self._prepared = prepare_copy(model, self.image_shape, self.num_classes)
            self.model = self._prepared.model
            with (
                written_buffers(self.model) as self._written,
                grown_attributes(self.model) as grown,
            ):
                calls = module_calls(self.model, self._prepared.images.clone())
            norms = called_norms(self.model, calls)
            self._norms = list(norms)
            self.stages: tuple[Stage, ...] = find_stages(calls, (height, width), smallest_stage)
            self.left_out: tuple[Stage, ...] = ()
            if smallest_stage is None:
                self.left_out = left_out(calls, (height, width), self.stages)
            head = find_head(self.model, self._prepared.images)
            self._outputs = OutputReader(self.model, self.stages, head)
            self._accelerated = AcceleratedForward(
                self.model,
                norms,
                self._outputs.overwritten,
                layers=self._prepared.layout == torch.channels_last,
            )
            with self._accelerated.for_few_images():
                check_observed(
                    self._logits,
                    partial(self.observe, statistics=True, maps=True),
                    self._prepared.images,
                )
            for remark in remarks(self.model, norms, self._written, grown, self.mean, self.std):
                warn(remark, TeacherWarning, stacklevel=2)

    @classmethod
    def ready(
        cls, name: str, *, device: torch.device | str = "cpu", precision: Precision = "fp32"
    ) -> "Teacher":
        """One of the classifiers that come with the library, such as ``cifar10-vgg11``.

        Raises `UsageError` for another name, with the list, or when its file is damaged.
        """
        return cls.from_classifier(*load_ready(name), device, precision)

    @classmethod
    def from_classifier(
        cls,
        model: nn.Module,
        classifier: Classifier,
        device: torch.device | str = "cpu",
        precision: Precision = "fp32",
    ) -> "Teacher":
        """``model`` as a teacher for the images it was stored for; it is moved to ``device``."""
        return cls(
            model.to(device),
            num_classes=classifier.num_classes,
            image_shape=(3, classifier.image_size, classifier.image_size),
            mean=classifier.mean,
            std=classifier.std,
            precision=precision,
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (N, K) of normalised images (N, C, H, W), of another size if its network takes it.

        Raises `TeacherError` for integers, for an image without a batch dimension, and for other
        channels.
        """
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
        `TeacherError` for integers, for an image without a batch dimension, and for ``embedding``
        of a classifier whose logits no linear layer returns.
        """
        head = self._outputs.head
        if embedding and head is None:
            raise TeacherError(
                "the classifier has no linear layer that returns its logits: no embedding"
            )
        with (
            self._accelerated.enabled(statistics=statistics) as recorded,
            self._outputs.reading(maps=maps, embedding=embedding) as found,
        ):
            logits = self._logits(images)
        stages = self.stages if maps else ()
        return Observation(
            logits,
            tuple(recorded.calls),
            tuple(self._as_images(found.maps[stage.module][stage.call]) for stage in stages),
            found.inputs[head.call] if embedding and head else None,
            recorded.stacked,
        )

    def check_student(self, student: nn.Module, *, trained: bool) -> tuple[float, ...] | None:
        """The student's `noise_logits`; ``trained``: the method trains it, else it competes.

        Raises `SettingError` for one that can't learn from the teacher, or compete with it.
        """
        with usual_torch_state(), compute_in(self.device, "fp32"):
            logits = check_student(student, self._prepared.images, self.num_classes, trained)
        converts = any(weight.dtype in HALF_PRECISION for weight in student.parameters())
        return None if converts else _few_digits(logits)

    def normalize(self, pixels: Tensor) -> Tensor:
        """Pixels in [0, 1] (N, C, H, W), floating point, to teacher space.

        Raises `TeacherError` for integers, and for other channels.
        """
        mean, std = self._channels(pixels)
        return (pixels - mean) / std

    def denormalize(self, images: Tensor) -> Tensor:
        """Teacher space back to pixels, which may lie outside [0, 1].

        Raises `TeacherError` for integers, and for other channels.
        """
        mean, std = self._channels(images)
        return images * std + mean

    @property
    def fingerprint(self) -> str:
        """sha256 of weights, persistent buffers, normalisation, classes and image shape.

        Buffers that the network's own passes write count as they were when it became a teacher.
        """
        digest = hashlib.sha256(
            repr((self.mean, self.std, self.num_classes, self.image_shape)).encode()
        )
        update_by_network(digest, self.model, self._written)
        return digest.hexdigest()

    @property
    def noise_logits(self) -> tuple[float, ...] | None:
        """The first logits of an image of noise, three digits: what its code does with its weights.

        None for a network that computes in 16 bits, which rounds too much.
        """
        prepared = self._prepared
        return None if prepared.image_dtype is not None else _few_digits(prepared.logits)

    @property
    def written(self) -> tuple[str, ...]:
        """The names of the buffers of ``model`` that its passes write in eval mode."""
        return tuple(self._written)

    @property
    def batch_norms(self) -> tuple[nn.Module, ...]:
        """The modules of ``model`` that take part in R_BN, in its order."""
        return tuple(self._norms)

    @property
    def device(self) -> torch.device:
        return first_tensor(self.model).device

    @property
    def dtype(self) -> torch.dtype:
        """That of its images."""
        return self._prepared.image_dtype or first_tensor(self.model).dtype

    def _logits(self, images: Tensor) -> Tensor:
        check_batch(images, self.image_shape)
        prepared = self._prepared
        if not torch.is_autocast_enabled(images.device.type):  # which converts them itself
            images = images.to(self.dtype)
        given = images.contiguous(memory_format=prepared.layout)
        logits: Tensor = self.model(given.clone() if prepared.writes_to_input else given)
        return logits

    def _as_images(self, maps: Tensor) -> Tensor:
        """In the images' type, where that is not the weights'."""
        image_dtype = self._prepared.image_dtype
        return maps if image_dtype is None else maps.to(image_dtype)

    def _channels(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (1, C, 1, 1), typed and placed as ``like``, cached."""
        check_channels(like, self.image_shape)
        key = (self.mean, self.std, like.dtype, like.device)
        known = self._normalisations.get(key)
        if known is None:
            with lasting_tensors():
                mean, std = (like.new_tensor(values) for values in (self.mean, self.std))
            known = mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)
            if can_cache(like.device):
                self._normalisations[key] = known
        return known


def _few_digits(logits: Tensor) -> tuple[float, ...] | None:
    """The first of one image's logits, three digits; None in 16 bits."""
    if logits.dtype in HALF_PRECISION:
        return None
    return tuple(float(f"{value:.3g}") for value in logits[0, :LOGITS].tolist())
