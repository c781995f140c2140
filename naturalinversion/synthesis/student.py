"""The student that takes part in a method's synthesis."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from naturalinversion.digest import weights_digest
from naturalinversion.layout import layout_kept
from naturalinversion.module_modes import frozen, modes_kept, trainability_kept
from naturalinversion.synthesis.synthesizer import Synthesizer


def student_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    """`weights_digest` of a student that takes part; empty without one."""
    if student is None or synthesizer.student_use == "none":
        return ""
    return weights_digest(student)


@contextmanager
def student_restored(
    synthesizer: Synthesizer, student: nn.Module | None
) -> Iterator[nn.Module | None]:
    """The student that takes part until the end of the block; None where the method uses none.

    Afterwards memory layout and hooks are as they were, and so is which weights are trainable. One
    to compete with is frozen within the block, and its modes are as they were. A joint one is in
    eval mode; if an exception leaves the block, its weights and modes are as they were: the same
    call again is the same run.
    """
    if student is None or synthesizer.student_use == "none":
        yield None
    elif synthesizer.student_use == "compete":
        with layout_kept(student), frozen(student):
            yield student
    else:
        with layout_kept(student), trainability_kept(student), _untrained_on_error(student):
            yield student
        student.eval()


@contextmanager
def _untrained_on_error(student: nn.Module) -> Iterator[None]:
    """Undo what the block did to weights, buffers and extra states if an exception leaves it."""
    before = copy.deepcopy(student.state_dict())
    with modes_kept(student):
        try:
            yield
        except BaseException:
            student.load_state_dict(before)
            raise
