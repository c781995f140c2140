"""From somebody's network to the copy that is inverted: in which number format and layout."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError
from naturalinversion.precision import compute_in
from naturalinversion.teacher.examination import check_logits, probe_images, writes_to_input
from naturalinversion.teacher.logit_checks import agree
from naturalinversion.teacher.own_copy import check_wrappers, first_tensor, own_copy
from naturalinversion.teacher.use_of_original import refused_use_of

HALF_PRECISION = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class PreparedCopy:
    """The copy, how to call it, and ``images`` (N, C, H, W) that it was tried with.

    ``logits`` (N, K) are theirs. ``image_dtype`` is None where the images' type is that of the
    weights. ``layout`` is that of images and weights; ``writes_to_input``: a pass changes the
    images it is given.
    """

    model: nn.Module
    images: Tensor
    logits: Tensor
    layout: torch.memory_format
    image_dtype: torch.dtype | None = None
    writes_to_input: bool = False


def prepare_copy(
    model: nn.Module, image_shape: tuple[int, int, int], num_classes: int
) -> PreparedCopy:
    """A copy of ``model`` that was tried with images of noise, without TF32.

    Raises `TeacherError`.
    """
    copied = own_copy(model)
    check_wrappers(model)
    weights = first_tensor(copied)
    images = probe_images(image_shape, weights)
    image_dtype = None
    with compute_in(weights.device, "fp32"):
        types = {weights.dtype, *(parameter.dtype for parameter in copied.parameters())}
        if not types.isdisjoint(HALF_PRECISION) and weights.dtype != torch.float64:
            copied, images, image_dtype = _widened(model, image_shape, num_classes)
        with refused_use_of(model):
            logits = check_logits(copied, images, num_classes)
        writes = writes_to_input(copied, images)
        layout = _choose_layout(copied, images, logits)
    return PreparedCopy(copied, images, logits, layout, image_dtype, writes)


def _widened(
    model: nn.Module, image_shape: tuple[int, int, int], num_classes: int
) -> tuple[nn.Module, Tensor, torch.dtype | None]:
    """A network with weights of 16 bits in float32, or taking float32 images, or as it is.

    An optimiser's small steps would be lost in 16 bits. Networks whose code converts their maps
    itself can't be widened.
    """
    wide = own_copy(model).float()
    images = probe_images(image_shape, first_tensor(wide))
    for candidate, image_dtype in ((wide, None), (own_copy(model), torch.float32)):
        try:
            with refused_use_of(model):
                check_logits(candidate, images, num_classes)
        except TeacherError:
            continue
        return candidate, images, image_dtype
    narrow = own_copy(model)
    return narrow, probe_images(image_shape, first_tensor(narrow)), None


def _choose_layout(model: nn.Module, images: Tensor, logits: Tensor) -> torch.memory_format:
    """channels_last, which is faster, unless the network then fails or returns something else."""
    last = torch.channels_last
    try:
        model.to(memory_format=last)
        with torch.no_grad():
            same = agree(logits, model(images.clone(memory_format=last)))
    except Exception:  # whatever somebody's network raises
        same = False
    if same:
        return last
    model.to(memory_format=torch.contiguous_format)
    return torch.contiguous_format
