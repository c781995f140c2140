"""Distillation: its value, the student that follows, the teacher that is left alone."""

import msgspec
import pytest
import torch
from torch import Tensor, nn

from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.losses import distillation_loss
from naturalinversion.seeds import seeded
from tests.benchmarks.training.small import MEAN, RECIPE, STD, make_dataset, make_model, run


def test_distillation_follows_the_teacher_and_leaves_it_alone() -> None:
    teacher = make_model(dropout=0.0)
    run(teacher)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with seeded(2):
        student = make_model(dropout=0.0)
        nn.init.normal_(list(student.parameters())[-2])
    wrong = DeviceDataset(
        make_dataset(96).images, torch.zeros(96, dtype=torch.int64), MEAN, STD
    )  # the labels are not used
    recipe = msgspec.structs.replace(RECIPE, epochs=20)
    history = run(student, recipe, wrong, distillation_loss(teacher))
    assert history.losses[-1] < 0.2 * history.losses[0]
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_distillation_objective_value() -> None:
    rng = torch.Generator().manual_seed(0)
    target, answer = torch.randn(2, 6, 5, generator=rng, dtype=torch.float64) * 4
    p, q = (target / 3).softmax(1), (answer / 3).softmax(1)
    expected = float((p * (p / q).log()).sum(1).mean())

    class Fixed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = answer
            return logits

    images, labels = torch.zeros(6, 3, 1, 1), torch.zeros(6, dtype=torch.int64)
    plain = distillation_loss(lambda _: target)
    scaled = distillation_loss(lambda _: target, temperature_squared=True)
    assert float(plain(Fixed(), images, labels)) == pytest.approx(expected, rel=1e-5)
    assert float(scaled(Fixed(), images, labels)) == pytest.approx(9 * expected, rel=1e-5)


def test_distillation_refuses_a_teacher_in_training_mode() -> None:
    with pytest.raises(ValueError, match="eval"):
        distillation_loss(make_model().train())
