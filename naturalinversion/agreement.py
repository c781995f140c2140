"""Whether the teacher gives synthetic images the labels they are stored with."""

from typing import Any

import torch
from torch import Tensor

from naturalinversion.teacher.teacher import Teacher

LOW_AGREEMENT = 0.5  # below, most labels are wrong
_RAISE = ("iterations", "epochs", "steps", "cross_entropy")  # settings that images get better by


def count_agreeing(teacher: Teacher, images: Tensor, labels: Tensor) -> int:
    """For how many of the images (N, C, H, W) in teacher space its answer is the label (N,)."""
    with torch.no_grad():
        answers = teacher(images.float().to(teacher.device, teacher.dtype)).argmax(dim=1)
    return int((answers.cpu() == labels.cpu()).sum())


def low_agreement(share: float, synthesizer: Any) -> str:
    """What to say of images of which the teacher gives only ``share`` the asked label.

    Nothing where that is not to be improved: a joint method's student was trained without labels,
    and a method without steps (``iterations`` 0) is a control.
    """
    if share >= LOW_AGREEMENT or synthesizer.student_use == "joint":
        return ""
    if getattr(synthesizer, "iterations", None) == 0:
        return ""
    known = [(name, getattr(synthesizer, name, None)) for name in _RAISE]
    raisable = [
        f"{name} (now {value:g})" for name, value in known if isinstance(value, int | float)
    ]
    remedy = f"raise {' or '.join(raisable)}" if raisable else "the method needs more steps"
    return (
        f"the teacher gives the asked label to {share:.0%} of the images only: they are far from "
        f"their classes, and their labels are no ground truth: {remedy}"
    )
