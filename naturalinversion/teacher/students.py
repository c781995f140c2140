"""Whether a student fits a teacher, before anything is made for it."""

import torch
from torch import Tensor, nn

from naturalinversion.errors import SettingError, TeacherError, reason_of
from naturalinversion.seeds import seeded
from naturalinversion.teacher.examination import shape_of
from naturalinversion.teacher.own_copy import own_copy


def check_student(student: nn.Module, images: Tensor, num_classes: int, trained: bool) -> None:
    """Raises `SettingError` for a student that does not map ``images`` to logits (N, K), or
    can't be copied, as TorchScript.

    ``trained``: it will be, which weights that were made in inference mode can't.
    """
    if trained and any(parameter.is_inference() for parameter in student.parameters()):
        raise SettingError(
            "the student's weights were made in inference mode, where nothing can be trained: make "
            "it outside"
        )
    try:
        copied = own_copy(student, "the student")
    except TeacherError as error:
        raise SettingError(str(error)) from error
    try:
        with torch.no_grad(), seeded(0):
            logits = copied(images.contiguous())
    except Exception as error:
        shape = tuple(images.shape[1:])
        own = {p.dtype for p in student.parameters() if p.is_floating_point()} - {images.dtype}
        for dtype in own:
            raise SettingError(
                f"the student's weights are {dtype}, and it does not take the teacher's images, "
                f"which are {images.dtype}: {reason_of(error)}; student.to({images.dtype}) is one "
                "that does"
            ) from error
        raise SettingError(
            f"the student does not take images of shape {shape}: {reason_of(error)}"
        ) from error
    given = shape_of(logits)
    if given != (num_classes,):
        raise SettingError(
            f"the student returns {given} for an image, not {num_classes} logits as the teacher"
        )
