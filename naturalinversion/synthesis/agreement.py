"""Whether the teacher gives synthetic images the labels they are stored with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from naturalinversion.image_store.meta import read_meta, write_meta
from naturalinversion.image_store.shards import read_shard
from naturalinversion.teacher.teacher import Teacher

LOW_AGREEMENT = 0.5  # below, most labels are wrong
_STILL = {"jitter": 0, "flip": False}  # settings that move images before the teacher sees them
_RAISE = ("iterations", "epochs", "steps", "cross_entropy")  # settings that images get better by


def count_agreeing(teacher: Teacher, images: Tensor, labels: Tensor) -> int:
    """For how many of the images (N, C, H, W) in teacher space its answer is the label (N,)."""
    with torch.no_grad():
        answers = teacher(images.float().to(teacher.device, teacher.dtype)).argmax(dim=1)
    return int((answers.cpu() == labels.cpu()).sum())


def record_agreement(folder: Path, batches: int, teacher: Teacher, made: Sequence[int]) -> None:
    """Let the folder's meta count its first ``batches``, and on how many images the teacher agrees.

    ``made`` are the numbers of those that are new.
    """
    known = read_meta(folder)  # another process may have added batches
    agreed = dict(enumerate(known.agreed, known.first))
    for index in {*made, *range(known.first + len(agreed), known.first + batches)}:
        agreed[index] = count_agreeing(teacher, *read_shard(folder, index, known))
    counts = tuple(count for _, count in sorted(agreed.items()))
    written = msgspec.structs.replace(known, batches=max(known.batches, batches), agreed=counts)
    if written != known:
        write_meta(folder, written)


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
    if moves := [
        f"{name}={still}" for name, still in _STILL.items() if getattr(synthesizer, name, 0)
    ]:
        remedy += (
            f"; of a classifier that never saw shifted or mirrored images set {', '.join(moves)}"
        )
    return (
        f"the teacher gives the asked label to {share:.0%} of the images only: they are far from "
        f"their classes, and their labels are no ground truth: {remedy}"
    )
