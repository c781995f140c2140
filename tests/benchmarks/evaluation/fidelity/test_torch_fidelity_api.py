"""Precision and recall never hold a whole table of distances."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.evaluation.fidelity import torch_fidelity_api

CPU = torch.device("cpu")


class Largest(TorchDispatchMode):
    """The number of values of the largest tensor made."""

    values = 0

    def __torch_dispatch__(
        self, call: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        out = call(*arguments, **(options or {}))
        if isinstance(out, Tensor):
            self.values = max(self.values, out.numel())
        return out


def test_distances_are_held_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    one, other = torch.randn(2, 500, 4)
    whole = torch_fidelity_api.precision_recall(one, other, 3, CPU)
    monkeypatch.setattr(torch_fidelity_api, "KNN_BATCH", 50)
    with Largest() as largest:
        strips = torch_fidelity_api.precision_recall(one, other, 3, CPU)
    assert strips == whole
    assert largest.values == 50 * 500
