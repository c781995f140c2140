"""What a network does with a few images of noise, before it is inverted: does it fit, and how.

Everything that would fail far away, or invert something else in silence, is one `TeacherError`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.logit_checks import agree, check_gradient, check_values, own_error
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
    finite, outputs without a gradient to the images or with one that is zero or not finite, and
    noise of its own such as dropout.
    """
    if num_classes < 2:
        raise TeacherError(f"num_classes is {num_classes}: two or more; {TWO_LOGITS}")
    leaf = images.clone().requires_grad_()
    shape = tuple(images.shape[1:])
    with seeded(0), own_error(f"{CLASSIFIER} does not take images of shape {shape}"):
        logits = model(leaf.clone())
    _check_shape(logits, num_classes)
    check_values(logits, CLASSIFIER)
    check_gradient(model, logits, leaf, CLASSIFIER)
    _check_repeatable(model, images, logits)
    detached: Tensor = logits.detach()
    return detached


@contextmanager
def written_buffers(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The buffers that the passes within the block change, by name, as they leave them."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    written: dict[str, Tensor] = {}
    yield written
    for name, buffer in model.named_buffers():
        if name not in before or not _same(before[name], buffer):
            written[name] = buffer.clone()


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


def _check_repeatable(model: nn.Module, images: Tensor, logits: Tensor) -> None:
    """Raises `TeacherError` where another pass does not return ``logits`` again."""
    with seeded(1), torch.no_grad():
        if agree(logits, model(images.clone())):
            return
        with written_buffers(model) as written:
            culprit = _noisy(model, images)
    for name in written:
        raise TeacherError(
            f"the classifier's output differs from pass to pass, and so does its buffer '{name}': "
            "switch off what writes it in eval mode, such as an observer of quantisation"
        )
    raise TeacherError(
        f"the classifier's output differs from pass to pass, first that of '{culprit}': dropout or "
        "noise that stays on in eval mode"
    )


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN as well."""
    if torch.equal(one, other):
        return True
    if one.shape != other.shape or not (one.is_floating_point() and other.is_floating_point()):
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _noisy(model: nn.Module, images: Tensor) -> str:
    """The innermost module whose output differs between two passes, by name."""
    passes: list[list[tuple[str, Tensor]]] = [[], []]
    for outputs in passes:
        handles = [
            module.register_forward_hook(_keep(outputs, name or type(model).__name__))
            for name, module in model.named_modules()
        ]
        try:
            model(images.clone())
        finally:
            for handle in handles:
                handle.remove()
    for (name, one), (_, other) in zip(passes[0], passes[1], strict=False):
        if not _same(one, other):
            return name
    return str(type(model).__name__)


def _keep(outputs: list[tuple[str, Tensor]], name: str) -> Any:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.append((name, output.detach().clone()))

    return hook
