"""The floor of R_compete is for ten classes: with many more nothing of it has a gradient."""

import warnings

import pytest

from baselines import METHODS
from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.errors import NaturalInversionWarning, TeacherWarning
from naturalinversion.synthesis import Training


def prepare(name: str, classes: int, **settings: float) -> list[str]:
    """What is said when the method is prepared for so many classes."""
    network = build("resnet18", classes, 0.0625)
    method = METHODS[name](iterations=1, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", TeacherWarning)  # random weights
        teacher = Teacher(network, num_classes=classes, image_shape=(3, 16, 16))
        method.prepare(teacher, build("resnet18", classes, 0.0625), 0, Training())
    return [str(w.message) for w in caught if issubclass(w.category, NaturalInversionWarning)]


@pytest.mark.parametrize("name", ["adi", "ni_adi"])
def test_a_floor_above_what_most_predictions_have_is_told(name: str) -> None:
    (said,) = prepare(name, 200)
    assert said.startswith("compete_floor is 0.01, with 200 classes: ")
    assert "0.0005" in said
    assert prepare(name, 10) == []
    assert prepare(name, 200, compete_floor=0.0005) == []
    assert prepare(name, 200, compete=0.0) == []
