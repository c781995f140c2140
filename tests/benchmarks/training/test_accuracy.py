"""Top-1 accuracy, and the network as it was before."""

import pytest
import torch

from benchmarks.training.accuracy import accuracy
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
