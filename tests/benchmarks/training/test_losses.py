"""Cross-entropy and distillation: values, the student that follows, the teacher left alone."""

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.losses import cross_entropy_loss, distillation_loss
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
    plain = distillation_loss(lambda _: target, temperature_squared=False)
    scaled = distillation_loss(lambda _: target)
    assert float(plain(Fixed(), images, labels)) == pytest.approx(expected, rel=1e-5)
    assert float(scaled(Fixed(), images, labels)) == pytest.approx(9 * expected, rel=1e-5)


def test_cross_entropy_is_the_mean_of_the_labels_own_and_of_nothing_else() -> None:
    draws = np.random.default_rng(0)
    logits, labels = 4 * draws.normal(size=(6, 5)), np.array([0, 4, 2, 2, 1, 3])
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), labels])

    class Fixed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor(logits)

    found = cross_entropy_loss()(Fixed(), torch.zeros(6, 3, 1, 1), torch.tensor(labels))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_distillation_refuses_a_teacher_in_training_mode() -> None:
    with pytest.raises(ValueError, match="eval"):
        distillation_loss(make_model().train())


@pytest.mark.parametrize("temperature", [1.0, 20.0, 100.0])
def test_a_student_learns_alike_at_any_temperature(temperature: float) -> None:
    """Without the factor, gradients at 20 are 44 times smaller than at 3."""
    rng = torch.Generator().manual_seed(0)
    target, start = torch.randn(2, 16, 5, generator=rng, dtype=torch.float64)

    def gradient(temperature: float, squared: bool) -> float:
        answer = start.clone().requires_grad_()

        class Answers(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                return answer

        loss = distillation_loss(lambda _: target, temperature, temperature_squared=squared)
        loss(Answers(), torch.zeros(16, 3, 1, 1), torch.zeros(16, dtype=torch.int64)).backward()
        assert answer.grad is not None
        return float(answer.grad.norm())

    assert gradient(temperature, True) == pytest.approx(gradient(3.0, True), rel=0.35)
    if temperature > 3:
        assert gradient(temperature, False) < gradient(3.0, False) / 20
