"""The labels that a batch is made for."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from naturalinversion.errors import MethodError, SettingError
from naturalinversion.seeds import generator
from naturalinversion.synthesis.synthesizer import Batch, Synthesizer
from naturalinversion.validation import shown, whole


def balanced_labels(size: int, num_classes: int, seed: int) -> Tensor:
    """``size`` labels (N,): each class equally often, the rest distinct classes drawn at random."""
    equally = torch.arange(num_classes).repeat(size // num_classes)
    rest = torch.randperm(num_classes, generator=generator(seed))[: size % num_classes]
    return torch.cat([equally, rest])


def target_labels(size: int, num_classes: int, classes: Sequence[int], seed: int) -> Tensor:
    """`balanced_labels` of ``classes``, or of all ``num_classes`` where these are empty."""
    if not classes:
        return balanced_labels(size, num_classes, seed)
    return torch.tensor(classes)[balanced_labels(size, len(classes), seed)]


def check_classes(
    synthesizer: Synthesizer, classes: Sequence[int] | None, num_classes: int
) -> tuple[int, ...]:
    """``classes`` in ascending order; empty where all are asked for.

    Raises `SettingError` for any that is none of the teacher's or is given twice, and for a joint
    method that draws its labels itself.
    """
    if not isinstance(classes, Iterable | None):
        raise SettingError(f"classes is {shown(classes)}: several, such as [3, 5]")
    chosen = tuple(
        sorted(whole("classes", label) for label in (() if classes is None else classes))
    )
    for label in chosen:
        if not 0 <= label < num_classes:
            raise SettingError(f"classes: {label} is not one of 0 to {num_classes - 1}")
    if twice := [label for label in chosen if chosen.count(label) > 1]:
        raise SettingError(f"classes: {twice[0]} is given twice")
    if len(chosen) == num_classes:
        return ()
    draws = synthesizer.student_use == "joint" and getattr(synthesizer, "draw_labels", True)
    if chosen and draws:
        raise SettingError(
            f"classes: {type(synthesizer).__name__} draws its labels itself, from all classes"
        )
    return chosen


def check_chosen(batch: Batch, where: str, classes: Sequence[int]) -> None:
    """Raises `MethodError` where images are of other classes than those chosen, if any are."""
    for label in sorted(set(batch.labels.tolist()) - set(classes)) if classes else ():
        raise MethodError(f"{where}: a label is {label}, which is not one of the classes asked for")
