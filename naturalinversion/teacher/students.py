"""Whether a student fits a teacher, before anything is made for it."""

from torch import Tensor, nn

from naturalinversion.errors import SettingError, TeacherError, reason_of
from naturalinversion.seeds import seeded
from naturalinversion.teacher.examination import shape_of
from naturalinversion.teacher.logit_checks import check_gradient, check_trainable, check_values
from naturalinversion.teacher.own_copy import own_copy
from naturalinversion.teacher.repeatability import check_repeatable, written_buffers
from naturalinversion.teacher.use_of_original import refused_use_of

STUDENT = "the student"


def check_student(student: nn.Module, images: Tensor, num_classes: int, trained: bool) -> Tensor:
    """The logits (N, K) that ``student`` gives ``images`` in eval mode.

    Raises `SettingError` for a student that does not map ``images`` to logits (N, K), the same
    in every pass, writes to the images, can't be copied, as TorchScript, or was made in inference
    mode.

    One that the method trains (``trained``) must return logits in training mode as well. Images
    compete with any other: it must have a gradient to them and stay as it is.
    """
    try:
        copied = own_copy(student, STUDENT)
        if any(parameter.is_inference() for parameter in student.parameters()):
            raise SettingError(
                "the student's weights were made in inference mode, and autograd refuses them: "
                "make it outside"
            )
        for parameter in copied.parameters():
            parameter.requires_grad_(trained and parameter.is_floating_point())
        leaf = images.contiguous().clone().requires_grad_(not trained)
        with written_buffers(copied) as written:
            logits = _logits(student, copied, leaf, num_classes)
        check_values(copied, logits, STUDENT)
        check_repeatable(copied, images, logits, STUDENT)
        if trained:
            check_trainable(logits, STUDENT)
            copied.train()
            _logits(student, copied, leaf, num_classes, ", in training mode")
            return logits
        check_gradient(copied, logits, leaf, STUDENT, constant=True)
    except TeacherError as error:
        raise SettingError(str(error)) from error
    for name in written:
        raise SettingError(
            f"the student's passes write its buffer '{name}' in eval mode: one to compete with "
            "must stay the same"
        )
    return logits


def _logits(
    student: nn.Module, copied: nn.Module, leaf: Tensor, num_classes: int, mode: str = ""
) -> Tensor:
    """Those of a pass of the copy. Raises `SettingError` where there are none."""
    images = leaf.clone()
    version = images._version
    try:
        with refused_use_of(student), seeded(0):
            logits: Tensor = copied(images)
    except TeacherError:
        raise
    except Exception as error:
        raise SettingError(_does_not_take(student, leaf, error) + mode) from error
    given = shape_of(logits)
    if given != (num_classes,):
        raise SettingError(
            f"the student returns {given} for an image{mode}, not {num_classes} logits as the "
            "teacher"
        )
    if images._version != version:
        raise SettingError(
            f"the student changes the images that it is given{mode}, which are the teacher's as "
            "well: let its first operation not be in place"
        )
    return logits


def _does_not_take(student: nn.Module, images: Tensor, error: Exception) -> str:
    """One line on why it does not."""
    own = {p.dtype for p in student.parameters() if p.is_floating_point()} - {images.dtype}
    for dtype in own:
        return (
            f"the student's weights are {dtype}, and it does not take the teacher's images, which "
            f"are {images.dtype}: {reason_of(error)}; student.to({images.dtype}) is one that does"
        )
    return (
        f"the student does not take images of shape {tuple(images.shape[1:])}: {reason_of(error)}"
    )
