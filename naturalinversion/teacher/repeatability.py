"""Whether a network's outputs are a function of one image: in every pass, beside any others."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError
from naturalinversion.seeds import seeded
from naturalinversion.teacher.logit_checks import agree

Outputs = list[tuple[str, Tensor]]


def check_repeatable(model: nn.Module, images: Tensor, logits: Tensor, what: str) -> None:
    """Raises `TeacherError` where another pass does not return ``logits`` again.

    ``what`` is the network, in the error's line.
    """
    with seeded(1), torch.no_grad():
        if agree(logits, model(images.clone())):
            return
        with written_buffers(model) as written:
            passes = _outputs(model, images), _outputs(model, images)
    for name in written:
        raise TeacherError(
            f"{what}'s output differs from pass to pass, and so does its buffer '{name}': "
            "switch off what writes it in eval mode, such as an observer of quantisation"
        )
    differing = (n for (n, one), (_, other) in zip(*passes, strict=False) if not _same(one, other))
    raise TeacherError(
        f"{what}'s output differs from pass to pass, first that of "
        f"'{next(differing, type(model).__name__)}': dropout or noise that stays on in eval mode"
    )


def check_single_images(model: nn.Module, images: Tensor, logits: Tensor, what: str) -> None:
    """Raises `TeacherError` where an image has other ``logits`` beside another image."""
    others = torch.cat([images[:1], 2 * images[1:].flip(-1) + 1])
    with seeded(0), torch.no_grad():
        if agree(logits[:1], model(others.clone())[:1]):
            return
        passes = _outputs(model, images), _outputs(model, others)
    differing = (
        name
        for (name, one), (_, other) in zip(*passes, strict=False)
        if one.ndim and one.is_floating_point() and not agree(one[:1], other[:1])
    )
    raise TeacherError(
        f"{what}'s logits of an image depend on the others of its batch, first the output of "
        f"'{next(differing, type(model).__name__)}': a norm that stays in training mode or keeps "
        "no running statistics (track_running_stats=False), or a mean over the batch"
    )


@contextmanager
def written_buffers(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The buffers that the passes within the block change, by name, as they leave them."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    written: dict[str, Tensor] = {}
    yield written
    for name, buffer in model.named_buffers():
        if name not in before or not _same(before[name], buffer):
            written[name] = buffer.clone()


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN as well."""
    if torch.equal(one, other):
        return True
    if one.shape != other.shape or not (one.is_floating_point() and other.is_floating_point()):
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _outputs(model: nn.Module, images: Tensor) -> Outputs:
    """The tensors that modules return in a pass, the innermost first, by the modules' names."""
    outputs: Outputs = []
    with ExitStack() as hooks:
        for name, module in model.named_modules():
            keep = _keep(outputs, name or type(model).__name__)
            hooks.enter_context(module.register_forward_hook(keep))
        model(images.clone())
    return outputs


def _keep(outputs: Outputs, name: str) -> Any:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.append((name, output.detach().clone()))

    return hook
