"""PRD on sets whose answer is known: same, disjoint, a mode dropped, a mode invented."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from benchmarks.evaluation.fidelity.prd import PRD, curve, prd


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def modes(count: int, per_mode: int, seed: int, first: int = 0) -> Tensor:
    """Tight clusters (count * per_mode, 4), far from each other; clusters ``first``, first+1, …"""
    draws = torch.Generator().manual_seed(seed)
    centres = 100 * torch.arange(first, first + count).float()[:, None] * torch.ones(4)
    return (centres[:, None] + torch.randn(count, per_mode, 4, generator=draws)).flatten(0, 1)


def score(synthetic: Tensor, real: Tensor, clusters: int = 10, seed: int = 0) -> PRD:
    return prd(synthetic, real, clusters=clusters, runs=3, seed=seed)


def test_identical_sets_score_one() -> None:
    images = modes(5, 40, 0)
    found = score(images, images.clone())
    assert found.f8 == pytest.approx(1, abs=1e-6)
    assert found.f1_8 == pytest.approx(1, abs=1e-6)


def test_disjoint_sets_score_nought() -> None:
    found = score(modes(5, 40, 0), modes(5, 40, 1, first=50))
    assert found == PRD(0.0, 0.0)


def test_a_dropped_mode_costs_recall_and_an_invented_one_precision() -> None:
    real, dropped = modes(10, 40, 0), modes(5, 80, 1)
    found = score(dropped, real)
    assert found.f1_8 > 0.9, "what was made is real"
    assert found.f8 < 0.6, "half of what is real was not made"
    turned = score(real, dropped)
    assert turned.f8 > 0.9
    assert turned.f1_8 < 0.6


def test_f8_weighs_recall_eight_times_and_its_counterpart_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where both are at their best: all that was made is real, half of what is real was made."""

    class Modes:
        """Knows the clusters; of every second clustering all are one."""

        runs = 0

        def __init__(self, clusters: int, **_: object) -> None:
            Modes.runs += 1

        def fit_predict(self, union: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            found = np.rint(union[:, 0] / 100).astype(int)
            return np.zeros_like(found) if Modes.runs % 2 == 0 else found

    monkeypatch.setattr("benchmarks.evaluation.fidelity.prd.MiniBatchKMeans", Modes)
    real, dropped = modes(10, 40, 0), modes(5, 80, 1)
    once, twice = (prd(dropped, real, clusters=10, runs=runs, seed=0) for runs in (1, 2))
    assert once.f8 == pytest.approx((1 + 8**2) * 0.5 / (8**2 + 0.5), abs=1e-3)
    assert once.f1_8 == pytest.approx((1 + 8**-2) * 0.5 / (8**-2 + 0.5), abs=1e-3)
    slopes = np.geomspace(1e-3, 1e3, 1_000_001)
    precision = (np.minimum(slopes / 2, 1) + np.minimum(slopes, 1)) / 2
    f8 = (1 + 8**2) * precision * (precision / slopes) / (8**2 * precision + precision / slopes)
    assert twice.f8 == pytest.approx(f8.max(), abs=1e-3), "of the mean curve"


def test_a_histogram_by_hand() -> None:
    """Half of the synthetic mass lies where a quarter of the real mass does, the rest nowhere."""
    precision, recall = curve(np.array([0.5, 0.0, 0.5]), np.array([0.25, 0.75, 0.0]))
    assert precision.max() == pytest.approx(0.5), "half of what was made is real"
    assert recall.max() == pytest.approx(0.25), "a quarter of what is real was made"
    slope_one = len(precision) // 2
    assert (precision[slope_one], recall[slope_one]) == pytest.approx((0.25, 0.25))
    assert (np.diff(precision) >= 0).all()
    assert (np.diff(recall) <= 0).all()


def test_same_seed_same_numbers() -> None:
    draws = torch.Generator().manual_seed(3)
    synthetic, real = torch.randn(2, 200, 4, generator=draws)
    first = score(synthetic, real)
    torch.manual_seed(99)
    np.random.seed(99)
    assert score(synthetic, real) == first
    assert score(synthetic, real, seed=1) != first
