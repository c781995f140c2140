"""The student that takes part in a method's synthesis."""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from naturalinversion.digest import weights_digest
from naturalinversion.errors import SettingError
from naturalinversion.image_store.meta import Meta
from naturalinversion.layout import layout_kept
from naturalinversion.module_modes import frozen, modes_kept, trainability_kept
from naturalinversion.synthesis.synthesizer import Synthesizer, is_sequential
from naturalinversion.validation import shown


def check_kept(synthesizer: Synthesizer, student: nn.Module) -> None:
    """Raises `SettingError` for a student that a sequential method can't keep beside the shards."""
    if synthesizer.student_use != "joint" or not is_sequential(synthesizer):
        return
    for key, value in student.state_dict().items():
        if not isinstance(value, Tensor):
            where = key.rpartition(".")[0] or type(student).__name__
            raise SettingError(
                f"the student's '{where}' has an extra state that is {shown(value)}, not a tensor: "
                f"{type(synthesizer).__name__} can't keep it from batch to batch"
            )


def student_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    """`weights_digest` of a student that takes part; empty without one."""
    if student is None or synthesizer.student_use == "none":
        return ""
    return weights_digest(student)


def frozen_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    """sha256 of the names of a joint student's frozen weights; empty where all are trained."""
    if student is None or synthesizer.student_use != "joint":
        return ""
    frozen_ones = sorted(n for n, weight in student.named_parameters() if not weight.requires_grad)
    return hashlib.sha256("\n".join(frozen_ones).encode()).hexdigest() if frozen_ones else ""


def is_as_before(found: Meta, asked: Meta) -> bool:
    """Whether the joint student is the one that the run of ``found`` began with, as is known."""
    pairs = (found.student, asked.student), (found.student_frozen, asked.student_frozen)
    return all(old in (None, new) for old, new in pairs)


@contextmanager
def student_restored(
    synthesizer: Synthesizer, student: nn.Module | None
) -> Iterator[nn.Module | None]:
    """The student that takes part until the end of the block; None where the method uses none.

    Afterwards memory layout and hooks are as they were, and so is which weights are trainable. One
    to compete with is frozen within the block, and its modes are as they were. A joint one has no
    gradients within the block, its own again afterwards, and is in eval mode; if an exception
    leaves the block, its weights, buffers and modes are as they were: the same call again is the
    same run.
    """
    if student is None or synthesizer.student_use == "none":
        yield None
    elif synthesizer.student_use == "compete":
        with layout_kept(student), frozen(student):
            yield student
    else:
        with (
            layout_kept(student),
            trainability_kept(student),
            _gradients_kept(student),
            _untrained_on_error(student),
        ):
            yield student
        student.eval()


@contextmanager
def _gradients_kept(student: nn.Module) -> Iterator[None]:
    """The parameters have no gradients in the block, and after it those of before."""
    gradients = [(parameter, parameter.grad) for parameter in student.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient


@contextmanager
def _untrained_on_error(student: nn.Module) -> Iterator[None]:
    """Undo what the block did to weights, buffers and extra states if an exception leaves it."""
    before = copy.deepcopy(student.state_dict())
    places = [(module._buffers, dict(module._buffers)) for module in student.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in student.buffers()]  # state dicts lack some
    with modes_kept(student):
        try:
            yield
        except BaseException:
            for current, old in places:
                current.clear()
                current.update(old)
            for buffer, content in buffers:
                buffer.copy_(content)
            student.load_state_dict(before)
            raise
