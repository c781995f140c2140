"""Students that can't be trained or competed with: one line says which, before any work."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from contract_methods import small
from torch import Tensor, nn

from naturalinversion import Teacher, synthesize
from naturalinversion.errors import NaturalInversionWarning, SettingError
from naturalinversion.teacher.students import check_student
from tests.naturalinversion.teacher.zoo import CLASSES, Counts, Small, ZooModel, trained

IMAGES = torch.zeros(2, 3, 16, 16)


class Student(Small):
    """Something done to its images and its logits."""

    def __init__(
        self,
        outside: Callable[[Tensor], Any] = lambda z: z,
        inside: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        self.outside, self.inside = outside, inside

    def forward(self, images: Tensor) -> Any:  # type: ignore[override]
        return self.outside(super().forward(self.inside(images)))


def with_a_head_of_zeros(bias: float = 0.0) -> nn.Module:
    student = Small()
    nn.init.zeros_(student.head.weight)
    nn.init.constant_(student.head.bias, bias)
    return student


class OneOrTwo(Small):
    """An auxiliary output in training mode, as GoogLeNet's."""

    def forward(self, images: Tensor) -> Any:  # type: ignore[override]
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


class OwnEval(Small):
    """What beginners' training loops are called."""

    def eval(self, loader: Any) -> Any:  # type: ignore[override]
        return [self(images) for images in loader]


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "softmax": (
        lambda: Student(lambda z: z.softmax(1)),
        "the student returns probabilities, not logits: its last layer is a softmax; give it with",
    ),
    "sigmoid": (lambda: Student(lambda z: z.sigmoid()), "its last layer is a sigmoid"),
    "classes": (lambda: Student(lambda z: z.int()), "the student returns torch.int32, not logits"),
    "not finite": (lambda: Student(lambda z: z / 0), "the student returns values that are not fin"),
    "in place": (
        lambda: Student(inside=lambda x: x.mul_(0.5)),
        "the student changes the images that it is given, which are the teacher's as well",
    ),
    "its own eval": (OwnEval, "can't be put into eval mode, as its own train"),
    "a class": (lambda: Small, "the student is type, not a torch.nn.Module: build the network"),
    "a function": (lambda: len, "the student is builtin_function_or_method, not a torch.nn.Module"),
    "lazy": (
        lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(CLASSES)),
        "the student has lazy weights without values: pass images through it first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("to_train", [True, False])
def test_a_student_that_returns_no_logits_is_refused(name: str, to_train: bool) -> None:
    make, says = REFUSED[name]
    with pytest.raises(SettingError, match=f"^the student .*{says.removeprefix('the student ')}"):
        check_student(make(), IMAGES, CLASSES, to_train)


@pytest.mark.parametrize(
    ("make", "to_train", "says"),
    [
        (OneOrTwo, True, "returns tuple for an image, in training mode, not 4 logits as the teach"),
        (OneOrTwo, False, ""),
        (lambda: Student(nn.functional.dropout), True, "output differs from pass to pass, first"),
        (lambda: Student(nn.functional.dropout), False, "output differs from pass to pass, first"),
        (Counts, True, ""),
        (Counts, False, "passes write its buffer 'passes' in eval mode: one to compete with must"),
    ],
)
def test_what_a_student_is_for_decides_what_it_may_do(
    make: Callable[[], nn.Module], to_train: bool, says: str
) -> None:
    with pytest.raises(SettingError, match=says) if says else nullcontext():
        check_student(make(), IMAGES, CLASSES, to_train)


@pytest.mark.parametrize(
    ("way", "student", "says"),
    [
        ("adi", lambda: Student(lambda z: z.detach()), "output has no gradient to its images: an"),
        ("adi", lambda: Student(inside=torch.round), "output has no gradient to its images: it is"),
        ("dafl", lambda: Student(lambda z: z.detach()), "output has no gradient to its weights"),
    ],
)
def test_a_student_without_the_gradient_that_is_needed_is_refused_before_any_work(
    way: str, student: Callable[[], nn.Module], says: str, tmp_path: Path
) -> None:
    teacher = Teacher(trained(Small), **ZooModel(Small).arguments())
    with pytest.raises(SettingError, match=f"^the student's {says}") as caught:
        synthesize(
            small(way), teacher, tmp_path / "out", batches=1, batch_size=8, student=student()
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("make", "for_what"),
    [
        (with_a_head_of_zeros, (True, False)),
        (lambda: with_a_head_of_zeros(1 / CLASSES), (True, False)),
        (lambda: Small().requires_grad_(False), (True, False)),
        (lambda: Student(inside=torch.round), (True,)),
        (lambda: Student(inside=lambda x: x.detach()), (True,)),
    ],
    ids=[
        "a head of zeros",
        "a head of equal biases",
        "frozen",
        "rounds its images",
        "detaches its images",
    ],
)
def test_a_student_that_can_be_used_is_not_refused(
    make: Callable[[], nn.Module], for_what: tuple[bool, ...]
) -> None:
    """To be trained, it needs no gradient to its images."""
    for to_train in for_what:
        student = make()
        before = [parameter.requires_grad for parameter in student.parameters()]
        check_student(student, IMAGES, CLASSES, to_train)
        assert [parameter.requires_grad for parameter in student.parameters()] == before


@pytest.mark.parametrize("to_train", [True, False])
def test_a_student_with_a_function_over_itself_is_refused_and_stays_as_it_is(
    to_train: bool,
) -> None:
    """The check of a copy would write to the norm of the student."""
    student = Student()
    student.inside = lambda x: student.norm1(student.conv1(x))[:, :3]
    before = {name: value.clone() for name, value in student.state_dict().items()}
    with pytest.raises(SettingError, match=r"^a function that holds your instance .* its 'conv1'"):
        check_student(student, IMAGES, CLASSES, to_train)
    after = student.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(("name", "says"), [("adi", True), ("dafl", False)])
def test_a_student_to_compete_with_that_is_untrained_is_one_warning(
    name: str, says: bool, tmp_path: Path
) -> None:
    """One that is trained with the generator begins so."""
    teacher = Teacher(trained(Small), **ZooModel(Small).arguments())
    for student, warns in ((Small(), says), (trained(Small), False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            folder = tmp_path / str(warns) / str(student.norm1.running_mean.any())
            synthesize(small(name), teacher, folder, batches=1, batch_size=4, student=student)
        said = [w for w in caught if "the student to compete with looks unt" in str(w.message)]
        assert len(said) == warns
        assert all(w.category is NaturalInversionWarning for w in said)
        assert all(w.filename == __file__ for w in said)
