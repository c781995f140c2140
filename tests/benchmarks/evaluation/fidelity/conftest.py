"""An extractor small enough for tests, and what is counted of its work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks.evaluation.fidelity import extractors
from benchmarks.evaluation.fidelity.extractors import Extractor, Family, Layers, find
from benchmarks.evaluation.fidelity.features import Features, Looks
from naturalinversion.progress import Progress, silent
from tests.benchmarks.evaluation.fidelity.tiny import Tiny


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """numpy's and scikit-learn's threads fight for cores that are busy: ten times slower."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    draws = torch.Generator().manual_seed(5)
    path = tmp_path / "tiny.pth"
    torch.save({"projection": torch.randn(48, 16, generator=draws)}, path)
    return path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, weights: Path) -> Extractor:
    """A small extractor, registered with torch-fidelity and with the suite."""
    monkeypatch.setitem(FEATURE_EXTRACTORS_REGISTRY, "tiny", Tiny)
    layers = Layers("early", "final", "logits")
    monkeypatch.setitem(extractors.EXTRACTORS, "tiny", Family(layers, lambda given, fetch: weights))
    return find("tiny")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were computed, one entry for every call."""
    calls: list[int] = []
    look = Looks.__call__

    def count(looks: Looks, images: Tensor, progress: Progress = silent) -> Features:
        calls.append(len(images))
        return look(looks, images, progress)

    monkeypatch.setattr(Looks, "__call__", count)
    return calls
