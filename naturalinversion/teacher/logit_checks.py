"""What a network's outputs must be to be optimised or learned from: logits, with a gradient."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from naturalinversion.errors import TeacherError, reason_of
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.operations import LAYER, last_operations

LEVELS = (-1.0, 0.0, 1.0)  # of darker and lighter images, where noise finds all units off
PROBABILITIES = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Hardsigmoid": "sigmoid"}


def check_values(model: nn.Module, logits: Tensor, what: str) -> None:
    """Raises `TeacherError` for integers, values that are not finite, and probabilities.

    ``what`` is the network ``model``, in the error's line.
    """
    if not logits.is_floating_point():
        raise TeacherError(f"{what} returns {logits.dtype}, not logits")
    if not logits.isfinite().all():
        raise TeacherError(f"{what} returns values that are not finite{_broken(model)}")
    if name := _activation(logits):
        raise TeacherError(
            f"{what} returns probabilities, not logits: its last layer is a {name}; give it without"
        )


def check_gradient(
    model: nn.Module, logits: Tensor, images: Tensor, what: str, *, constant: bool = False
) -> None:
    """Raises `TeacherError` where ``logits`` have no gradient to ``images``, a leaf.

    Nor may it be zero or not finite. ``constant``: the same logits for all images are accepted, as
    a student's are whose last layer starts at zero.
    """
    gradient = _gradient(logits, images, what)
    if gradient is None:
        raise TeacherError(
            f"{what}'s output has no gradient to its images: an operation between them has none, "
            "as those of quantised layers don't"
        )
    if not gradient.isfinite().all():
        raise TeacherError(f"{what}'s gradient to the images is not finite")
    if not gradient.any():
        _check_zero(model, images, what, constant)


def check_trainable(logits: Tensor, what: str) -> None:
    """Raises `TeacherError` where ``logits``, of images without a gradient, have none."""
    if not logits.requires_grad:
        raise TeacherError(f"{what}'s output has no gradient to its weights: it can't be trained")


def agree(one: Tensor, other: object) -> bool:
    """Whether two passes' logits (N, K) are the same but for rounding."""
    if not isinstance(other, Tensor) or one.shape != other.shape:
        return False
    # On the CPU: not every device has float64.
    wide, distance = (values.detach().cpu().double() for values in (one, one - other))
    return bool(distance.abs().max() <= math.sqrt(torch.finfo(one.dtype).eps) * wide.abs().max())


@contextmanager
def own_error(what: str) -> Iterator[None]:
    """Whatever the network raises, as one `TeacherError`."""
    try:
        yield
    except Exception as error:
        raise TeacherError(f"{what}: {reason_of(error)}") from error


def _broken(model: nn.Module) -> str:
    """The first of the weights that are not finite, in words; empty without one."""
    weights = chain(model.named_parameters(), model.named_buffers())
    broken = (name for name, tensor in weights if not tensor.isfinite().all())
    return f": '{name}' holds some" if (name := next(broken, "")) else ""


def _activation(logits: Tensor) -> str:
    """The softmax or sigmoid that returned the values, by these and by what computed them."""
    values = logits.detach().float()
    if (values < 0).any():
        return ""
    rounding = math.sqrt(torch.finfo(logits.dtype).eps)
    last = [node.name() for node in last_operations(logits)][-1:]
    by_a_layer = any(map(LAYER.match, last))  # whose bias alone may sum to one
    if bool(((values.sum(dim=1) - 1).abs() < rounding).all()) and not by_a_layer:
        return "softmax"
    return next((n for start, n in PROBABILITIES.items() for o in last if o.startswith(start)), "")


def _gradient(logits: Tensor, images: Tensor, what: str) -> Tensor | None:
    """That of a sum with random weights: a plain one is constant where logits are centred."""
    if not logits.requires_grad:
        return None
    weights = torch.randn(logits.shape, generator=generator(0), dtype=torch.float32)
    total = (logits.float() * weights.to(logits.device)).sum()
    with own_error(f"{what} can't be differentiated"):
        (gradient,) = torch.autograd.grad(total, images, allow_unused=True)
    return gradient


def _check_zero(model: nn.Module, images: Tensor, what: str, constant: bool) -> None:
    """Raises `TeacherError` where the gradient is zero at other images as well."""
    levels = torch.cat([images.detach() / 2 + level for level in LEVELS]).requires_grad_()
    with seeded(0), own_error(f"{what} does not take {len(levels)} images"):
        logits: Tensor = model(levels.clone())
    gradient = _gradient(logits, levels, what)
    if gradient is not None and gradient.any():
        return
    if not agree(logits[:1].expand_as(logits), logits):
        raise TeacherError(
            f"{what}'s output has no gradient to its images: it is zero, as that of an operation "
            "that rounds"
        )
    if not constant:
        raise TeacherError(
            f"{what}'s output has no gradient to its images: all get the same logits, as from "
            "weights that are zero or units that are always off"
        )
