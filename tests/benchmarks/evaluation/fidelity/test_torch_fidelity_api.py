"""Distances by their formulas, and never a whole table of distances between neighbours."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
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


def test_fid_is_that_of_two_normal_distributions() -> None:
    """|m - n|^2 + tr(A + B - 2 (A B)^1/2), covariances with one less than the images there are."""
    draws = np.random.default_rng(0)
    one = draws.normal(size=(12, 4))
    other = draws.normal(size=(30, 4)) @ draws.normal(size=(4, 4)) + 1
    first, second = (np.cov(features, rowvar=False, ddof=1) for features in (one, other))
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(first + second - 2 * root)
    found = torch_fidelity_api.frechet_distance(torch.tensor(one), torch.tensor(other))
    assert found == pytest.approx(expected, rel=1e-6)
