"""Images of chosen classes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from contract_methods import SMALL, FromOutside, small
from laws import student
from torch import Tensor

from baselines import CMI
from naturalinversion import Batch, Teacher, synthesize
from naturalinversion.errors import MethodError, SettingError, StoreError
from naturalinversion.progress import Progress
from naturalinversion.synthesis import Synthesizer

MakeTeacher = Callable[..., Teacher]


def fill(method: Synthesizer, teacher: Teacher, folder: Path, **more: Any) -> list[list[int]]:
    """The labels of two batches of five."""
    made = synthesize(method, teacher, folder, batches=2, batch_size=5, **more)
    return [labels.tolist() for _, labels in made.shards()]


@pytest.mark.parametrize("name", ["di", "ni", "noise"])
def test_images_are_of_these_classes_equally_often(
    name: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    for labels in fill(small(name), make_teacher(), tmp_path, classes=(3, 1)):
        assert sorted(Counter(labels).values()) == [2, 3]
        assert set(labels) == {1, 3}


def test_one_that_may_draw_them_can_be_told_not_to(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    method = CMI(**{**SMALL["cmi"], "draw_labels": False})
    for labels in fill(method, make_teacher(), tmp_path, classes=[2], student=student()):
        assert labels == [2] * 5


def test_of_more_classes_than_images_other_ones_are_drawn_by_batch(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    chosen = range(1, 9)
    drawn = fill(small("noise"), make_teacher(num_classes=10), tmp_path, classes=chosen)
    assert all(len(set(labels)) == 5 and set(labels) <= set(chosen) for labels in drawn)
    assert drawn[0] != drawn[1]


def test_a_folder_belongs_to_its_classes(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    """In whatever order they are named."""
    teacher = make_teacher()
    first = fill(small("noise"), teacher, tmp_path, classes=[2, 0])
    assert fill(small("noise"), teacher, tmp_path, classes=torch.tensor([0, 2])) == first
    with pytest.raises(StoreError, match=r"classes was \(0, 2\), is now \(\); take another folder"):
        fill(small("noise"), teacher, tmp_path)


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ([4], "classes: 4 is not one of 0 to 3"),
        ([0, -1], "classes: -1 is not one of 0 to 3"),
        ([1, 2, 1], "classes: 1 is given twice"),
        (["cat"], "classes is 'cat': a whole number"),
        (3, "classes is 3: several, such as [3, 5]"),
    ],
)
def test_classes_that_are_not_there_are_one_line(
    classes: Any, says: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(SettingError) as caught:
        fill(small("noise"), make_teacher(), tmp_path / "new", classes=classes)
    assert str(caught.value) == says
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["dafl", "cmi"])
def test_a_method_that_draws_its_labels_itself_is_refused(
    name: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    with pytest.raises(SettingError, match="draws its labels itself, from all classes"):
        fill(small(name), teacher, tmp_path / "new", classes=[1], student=teacher.model)
    assert not (tmp_path / "new").exists()


class AllOfThree(FromOutside):
    """Its images are all of class 3, whatever is asked for."""

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        made = super().batch(labels, seed, progress)
        return Batch(made.images, torch.full_like(labels, 3))


def test_images_of_another_class_are_not_stored(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    teacher = make_teacher()
    assert fill(AllOfThree(), teacher, tmp_path / "three", classes=[3]) == [[3] * 5] * 2
    with pytest.raises(MethodError, match="batch 0: a label is 3, which is not one of the classes"):
        fill(AllOfThree(), teacher, tmp_path / "one", classes=[1])
    assert not list((tmp_path / "one").glob("batch-*"))


@pytest.mark.parametrize("all_of_them", [None, (), range(4)])
def test_all_classes_are_no_choice(
    all_of_them: Any, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    first = fill(small("noise"), make_teacher(), tmp_path)
    assert fill(small("noise"), make_teacher(), tmp_path, classes=all_of_them) == first
