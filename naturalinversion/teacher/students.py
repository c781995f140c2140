"""Whether a student fits a teacher, before anything is made for it."""

import torch
from torch import Tensor, nn

from naturalinversion.errors import SettingError
from naturalinversion.seeds import seeded
from naturalinversion.teacher.examination import shape_of
from naturalinversion.teacher.own_copy import own_copy


def check_student(student: nn.Module, images: Tensor, num_classes: int, trained: bool) -> None:
    """Raises `SettingError` for a student that does not map ``images`` to logits (N, K).

    ``trained``: it will be, which weights that were made in inference mode can't.
    """
    if trained and any(parameter.is_inference() for parameter in student.parameters()):
        raise SettingError(
            "the student's weights were made in inference mode, where nothing can be trained: make "
            "it outside"
        )
    copied = own_copy(student)
    for layout in (torch.contiguous_format, torch.channels_last):
        try:
            with torch.no_grad(), seeded(0):
                logits = copied(images.contiguous(memory_format=layout))
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            where = " in channels_last layout" if layout == torch.channels_last else ""
            shape = tuple(images.shape[1:])
            raise SettingError(
                f"the student does not take images of shape {shape}{where}: {reason}"
            ) from error
    given = shape_of(logits)
    if given != (num_classes,):
        raise SettingError(
            f"the student returns {given} for an image, not {num_classes} logits as the teacher"
        )
