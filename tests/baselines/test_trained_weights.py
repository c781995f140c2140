"""Of a joint method's student those weights are trained that are trainable when it is given."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from naturalinversion import Teacher, Training, synthesize
from naturalinversion.errors import SettingError
from tests.baselines.bank_methods import small_teacher, student
from tests.contract.contract_methods import small
from tests.naturalinversion.fake_cuda_graph import FakeGraph

JOINT = ["dafl", "dfad", "cmi", "fast"]


def trained(name: str, teacher: Teacher, network: nn.Module) -> None:
    """Trained for two batches, or as long as `prepare` takes."""
    method: Any = small(name)
    method.prepare(teacher, network, 0, Training())
    for seed in range(2):
        method.batch(torch.arange(8) % 4, seed, lambda done: None)


def freeze(network: nn.Module) -> dict[str, bool]:
    """Freeze all but the last stage and the head; which are trainable then."""
    for name, weight in network.named_parameters():
        weight.requires_grad_(name.startswith(("conv2", "norm2", "head")))
    return flags(network)


def flags(network: nn.Module) -> dict[str, bool]:
    return {name: weight.requires_grad for name, weight in network.named_parameters()}


def check_trained_alone(name: str, teacher: Teacher) -> None:
    network = student()
    wanted = freeze(network)
    assert set(wanted.values()) == {False, True}
    before = {n: weight.detach().clone() for n, weight in network.named_parameters()}
    trained(name, teacher, network)
    moved = {n: not torch.equal(w, before[n]) for n, w in network.named_parameters()}
    assert moved == wanted
    assert flags(network) == wanted
    assert all(w.grad is None for w in network.parameters() if not w.requires_grad)


@pytest.mark.parametrize("name", JOINT)
def test_frozen_weights_are_not_trained(name: str) -> None:
    check_trained_alone(name, small_teacher())


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_nor_are_they_by_a_captured_step(name: str, graphs: list[FakeGraph]) -> None:
    check_trained_alone(name, small_teacher())
    assert len(graphs) == 1


@pytest.mark.parametrize("name", JOINT)
def test_a_student_with_nothing_to_train_is_refused(name: str, tmp_path: Path) -> None:
    frozen = student().requires_grad_(False)
    with pytest.raises(SettingError, match=r"^all weights of the student are frozen .*to train$"):
        synthesize(
            *(small(name), small_teacher(), tmp_path / "out"),
            batches=1,
            batch_size=8,
            student=frozen,
        )
    assert not (tmp_path / "out").exists()


def test_dfads_generator_learns_without_gradients_of_the_student() -> None:
    network = student()
    found: list[bool] = []
    network.register_forward_hook(
        lambda module, inputs, out: (
            found.extend(flags(network).values()) if inputs[0].requires_grad else None
        )
    )
    trained("dfad", small_teacher(), network)
    assert found
    assert not any(found)
    assert all(flags(network).values())
