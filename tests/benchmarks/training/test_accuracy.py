"""Top-1 accuracy, agreement with another network, and the network as it was before."""

import pytest
import torch

from benchmarks.training.accuracy import accuracy, agreement
from tests.benchmarks.training.small import make_dataset, make_model


def test_accuracy_restores_every_modules_mode() -> None:
    model = make_model().train()
    model[1].eval()  # a frozen batch norm in a network in training
    state = {name: value.clone() for name, value in model.state_dict().items()}
    dataset = make_dataset(31)
    value = accuracy(model, dataset, batch_size=7)
    model.eval()
    expected = (model(dataset.batch(slice(None))).argmax(1) == dataset.labels).double().mean()
    assert value == pytest.approx(float(expected))
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    model.train()
    model[1].eval()
    accuracy(model, dataset)
    assert [module.training for module in model] == [True, False, True, True, True, True, True]


def test_agreement_is_with_the_other_networks_answers_whatever_the_labels() -> None:
    student, teacher, dataset = make_model().train(), make_model().eval(), make_dataset(31)
    with torch.no_grad():
        teacher[6].weight.copy_(teacher[6].weight.roll(1, dims=0))  # type: ignore[union-attr,operator]
    value = agreement(student, teacher, dataset, batch_size=7)
    assert student.training
    student.eval()
    images = dataset.batch(slice(None))
    expected = (student(images).argmax(1) == teacher(images).argmax(1)).double().mean()
    assert value == pytest.approx(float(expected))
    assert value < 1, "the other has the rows of its last layer in another order"
    assert agreement(teacher, teacher, dataset) == 1.0
    with pytest.raises(ValueError, match="the teacher is in training mode"):
        agreement(student, teacher.train(), dataset)
