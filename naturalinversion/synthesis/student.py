"""The student that takes part in a method's synthesis."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from naturalinversion.module_modes import modes_kept
from naturalinversion.synthesis.method_settings import weights_digest
from naturalinversion.synthesis.synthesizer import Synthesizer


def student_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    """`weights_digest` of a student that takes part; empty without one."""
    if student is None or synthesizer.student_use == "none":
        return ""
    return weights_digest(student)


@contextmanager
def rival_as_before(synthesizer: Synthesizer, student: nn.Module | None) -> Iterator[None]:
    """A student to compete with is frozen until the end of the block, then as it was."""
    if student is None or synthesizer.student_use != "compete":
        yield
        return
    trainable = [(each, each.requires_grad) for each in student.parameters()]
    try:
        with modes_kept(student):
            yield
    finally:
        for parameter, requires_grad in trainable:
            parameter.requires_grad_(requires_grad)
