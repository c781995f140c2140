"""The student that takes part in a method's synthesis."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from naturalinversion.digest import weights_digest
from naturalinversion.layout import layout_kept
from naturalinversion.module_modes import frozen, trainability_kept
from naturalinversion.synthesis.synthesizer import Synthesizer


def student_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    """`weights_digest` of a student that takes part; empty without one."""
    if student is None or synthesizer.student_use == "none":
        return ""
    return weights_digest(student)


@contextmanager
def student_given_back(
    synthesizer: Synthesizer, student: nn.Module | None
) -> Iterator[nn.Module | None]:
    """The student that takes part until the end of the block; None where the method uses none.

    Afterwards memory layout and hooks are as they were, and so is which weights are trainable. One
    to compete with is frozen within the block, and its modes are as they were; a joint one is in
    eval mode.
    """
    if student is None or synthesizer.student_use == "none":
        yield None
    elif synthesizer.student_use == "compete":
        with layout_kept(student), frozen(student):
            yield student
    else:
        with layout_kept(student), trainability_kept(student):
            try:
                yield student
            finally:
                student.eval()
