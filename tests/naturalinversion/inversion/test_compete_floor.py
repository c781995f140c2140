"""The floor of R_compete is for ten classes: with many more nothing of it has a gradient."""

import warnings

import pytest
import torch

from baselines import METHODS
from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.errors import NaturalInversionWarning, SettingError, TeacherWarning
from naturalinversion.inversion.objective import Objective, Weights
from naturalinversion.seeds import seeded
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


@pytest.mark.parametrize("floor", [0.5, 2.0, -0.1, float("nan")])
def test_a_floor_that_leaves_no_room_below_its_ceiling_is_refused(floor: float) -> None:
    with pytest.raises(SettingError, match=r"^compete_floor is .*: below 0\.5"):
        METHODS["adi"](compete_floor=floor)


def test_with_two_hundred_classes_only_a_low_floor_leaves_competition_a_gradient() -> None:
    """Softened predictions of random networks are about 0.005."""
    with seeded(3):
        network, student = (build("resnet18", 200, 0.0625).eval() for _ in range(2))
        images, labels = torch.randn(4, 3, 16, 16), torch.arange(4)
    losses, gradients = {}, {}
    for floor in (0.01, 0.0005):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the floor, and of random weights
            teacher = Teacher(network, num_classes=200, image_shape=(3, 16, 16))
            method = METHODS["adi"](iterations=1, compete_floor=floor)
            method.prepare(teacher, student, 0, Training())
        made = method.batch(labels, 0, lambda done: None)
        losses[floor] = float(made.losses["compete"])
        leaf = images.clone().requires_grad_()
        objective = Objective(teacher, labels, Weights(compete=1.0), student, floor)
        (gradient,) = torch.autograd.grad(objective.terms(leaf)["compete"], leaf)
        gradients[floor] = float(gradient.abs().max())
    assert (losses[0.01], gradients[0.01]) == (1.0, 0.0)
    assert losses[0.0005] < 1.0
    assert gradients[0.0005] > 0.0
