"""Digests: what stored ones were computed from, and state of networks that is no tensor."""

import copy
import hashlib
from typing import Any

import pytest
import torch
from torch import nn

from naturalinversion.digest import tensors_sha256, update_by_network, weights_digest


class WithState(nn.Module):
    """One weight, and any state beside it."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(6.0).view(2, 3))
        self.state = state

    def get_extra_state(self) -> Any:
        return self.state

    def set_extra_state(self, state: Any) -> None:
        self.state = state


class Foreign:
    """Its repr has an address."""


def fingerprint(module: nn.Module) -> str:
    digest = hashlib.sha256()
    update_by_network(digest, module)
    return digest.hexdigest()


def test_digests_of_tensors_are_those_that_stored_files_carry() -> None:
    module = nn.Linear(3, 2).to(memory_format=torch.contiguous_format)
    bias, weight = (tensor.detach().numpy().tobytes() for tensor in (module.bias, module.weight))
    contents = {
        weights_digest(module): b"bias\0torch.float32 (2,)%bweight\0torch.float32 (2, 3)%b",
        tensors_sha256(module.state_dict()): (
            b"bias torch.float32 (2,)%bweight torch.float32 (2, 3)%b"
        ),
        fingerprint(module): b"bias torch.float32%bweight torch.float32%b",
    }
    assert len(contents) == 3
    for found, content in contents.items():
        assert found == hashlib.sha256(content % (bias, weight)).hexdigest()


@pytest.mark.parametrize("digest", [weights_digest, fingerprint])
def test_state_that_is_no_tensor_counts_by_its_values(digest: Any) -> None:
    states: list[Any] = [{"a": torch.zeros(5000)}, {"a": torch.zeros(5000)}, {"a": 1}, [1, 2], None]
    states[1]["a"][2500] = 1  # in the middle, which a repr leaves out
    found = {digest(WithState(state)) for state in states}
    assert len(found) == len(states)


@pytest.mark.parametrize("digest", [weights_digest, fingerprint])
def test_copies_with_foreign_state_are_the_same_network(digest: Any) -> None:
    module = WithState({"config": Foreign()})
    assert digest(module) == digest(copy.deepcopy(module))
