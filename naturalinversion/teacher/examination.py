"""What a network does with a few images of noise, before it is inverted: does it fit, and how.

Everything that would fail far away, or invert something else in silence, is one `TeacherError`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.logit_checks import check_gradient, check_values, own_error
from naturalinversion.teacher.repeatability import check_repeatable, check_single_images
from naturalinversion.validation import shown

PROBES = 2  # images; one alone would hide a network that squeezes its batch
CLASSIFIER = "the classifier"
TWO_LOGITS = "of one logit z make two, torch.cat([torch.zeros_like(z), z], dim=1)"


def probe_images(image_shape: tuple[int, int, int], like: Tensor) -> Tensor:
    """A few images of noise in teacher space, the same in every call."""
    noise = torch.randn(PROBES, *image_shape, generator=generator(0), dtype=torch.float32)
    return noise.to(like.device, like.dtype)


def check_logits(model: nn.Module, images: Tensor, num_classes: int) -> Tensor:
    """The logits (N, K) of ``images``, which the model must return, the same in every pass.

    Raises `TeacherError` for probabilities, a single logit, another shape, values that are not
    finite, outputs without a gradient to the images or with one that is zero or not finite, noise
    of its own such as dropout, and logits that depend on the others of a batch.
    """
    if num_classes < 2:
        raise TeacherError(f"num_classes is {num_classes}: two or more; {TWO_LOGITS}")
    leaf = images.clone().requires_grad_()
    shape = tuple(images.shape[1:])
    with seeded(0), own_error(f"{CLASSIFIER} does not take images of shape {shape}"):
        logits = model(leaf.clone())
    _check_shape(logits, num_classes)
    check_values(model, logits, CLASSIFIER)
    check_gradient(model, logits, leaf, CLASSIFIER)
    check_repeatable(model, images, logits, CLASSIFIER)
    check_single_images(model, images, logits, CLASSIFIER)
    detached: Tensor = logits.detach()
    return detached


def writes_to_input(model: nn.Module, images: Tensor) -> bool:
    """Whether a pass changes the images it is given."""
    given = images.clone()
    version = given._version
    with torch.no_grad():
        model(given)
    return given._version != version


def _check_shape(logits: Any, num_classes: int) -> None:
    if isinstance(logits, Tensor) and logits.shape == (PROBES, num_classes):
        return
    if isinstance(logits, Tensor) and logits.shape in ((PROBES,), (PROBES, 1)):
        if not logits.is_floating_point():
            raise TeacherError(
                f"the classifier returns the number of a class for an image, not {num_classes} "
                "logits: let it end before its argmax"
            )
        raise TeacherError(
            f"the classifier returns one logit for an image, not {num_classes}; {TWO_LOGITS}"
        )
    raise TeacherError(
        f"the classifier returns {shape_of(logits)} for an image, not {num_classes} logits"
        + _way_out(logits, num_classes)
    )


def _way_out(output: Any, num_classes: int) -> str:
    """How to get at the logits of a network that returns more than them, or others."""
    if isinstance(output, Tensor):
        if not output.ndim or len(output) != PROBES:
            return ""
        if math.prod(output.shape[1:]) == num_classes and output.shape[1] == num_classes:
            return ": let it end with flatten(1)"
        return f": num_classes={output.shape[1]} would fit" if output.ndim == 2 else ""
    return f": wrap it in a module whose forward returns the tensor alone{_part_of(output)}"


def _part_of(output: Any) -> str:
    """Where the logits may be in an output that is no tensor."""
    if isinstance(getattr(output, "logits", None), Tensor):
        return ", such as its .logits"
    if isinstance(output, Mapping) and output:
        return f", such as one of its keys: {shown(list(output)).strip('[]')}"
    return ", such as its [0]" if isinstance(output, Sequence) and output else ""


def shape_of(logits: Any) -> tuple[int, ...] | str:
    """The shape of one image's output, or what it is if it is no tensor."""
    return tuple(logits.shape[1:]) if isinstance(logits, Tensor) else type(logits).__name__
