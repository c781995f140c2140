"""What is said of a classifier to make a teacher of it: refused where it can't be."""

import pytest
import torch
from torch import nn

from naturalinversion.errors import TeacherError
from tests.naturalinversion.teacher.networks import FunctionalPooling, hooks, made, teach


def test_a_classifier_without_memory_of_its_images_is_refused() -> None:
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    forgetful = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), *plain)
    for model, says in (
        (plain, "no batch norm with running statistics"),
        (
            forgetful,
            "logits of an image depend on the others of its batch, first the output of '0'",
        ),
    ):
        with pytest.raises(TeacherError, match=says) as caught:
            teach(model)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


def test_images_of_another_size_are_refused_in_one_line() -> None:
    model = made(FunctionalPooling)
    with pytest.raises(TeacherError, match=r"images of shape \(3, 32, 32\)") as caught:
        teach(model, image_shape=(3, 32, 32))
    assert "\n" not in str(caught.value)
    assert hooks(model) == 0


def test_another_number_of_classes_is_refused_in_one_line() -> None:
    says = r"returns \(5,\) for an image, not 10 logits: num_classes=5 would fit"
    with pytest.raises(TeacherError, match=says) as caught:
        teach(made(FunctionalPooling), num_classes=10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"mean": (0.5,)},
            "as many as the images have channels: they have 1 and 3",
        ),
        ({"std": (0.5, 0.5)}, "they have 3 and 2"),
        ({"std": (0.5, 0.0, 0.5)}, "finite values, std above zero"),
        ({"mean": (0.5, float("nan"), 0.5)}, "finite values, std above zero"),
        ({"mean": (123.7, 116.3, 103.5)}, r"mean \(123.7, 116.3, 103.5\) and std .* by 255"),
        ({"std": (58.4, 57.1, 57.4)}, r"not those of pixels in \[0, 1\]: divide"),
        ({"mean": (-0.49, -0.48, -0.44)}, r"not those of pixels in \[0, 1\]"),
        ({"mean": 0.5}, "mean is 0.5: a number for each channel"),
        ({"mean": torch.zeros(3, 2, 1)}, r"mean has shape \(3, 2, 1\): a number for each channel"),
        ({"std": [torch.ones(2)] * 3}, r"std is \[.*: a number for each channel"),
        ({"std": ("0.5", "0.5", "0.5")}, r"std is \('0.5', '0.5', '0.5'\): a number for each chan"),
        ({"image_shape": (16, 16)}, r"image_shape is \(16, 16\): three whole numbers"),
        ({"image_shape": (3, 16.5, 16)}, r"image_shape is \(3, 16.5, 16\): three whole numbers"),
        ({"image_shape": 16}, "image_shape is 16: three whole numbers"),
        ({"num_classes": 4.0}, "num_classes is 4.0: a whole number"),
        ({"smallest_stage": "4"}, "smallest_stage is '4': a whole number"),
        ({"smallest_stage": 0}, "smallest_stage is 0: 1 or more"),
        ({"smallest_stage": -1}, "smallest_stage is -1: 1 or more"),
        ({"num_classes": 1}, "num_classes is 1: two or more; of one logit z make two, torch.cat"),
    ],
)
def test_a_description_that_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    normalisation = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    with pytest.raises(TeacherError, match=says) as caught:
        teach(made(FunctionalPooling), **normalisation | wrong)
    assert "\n" not in str(caught.value)
