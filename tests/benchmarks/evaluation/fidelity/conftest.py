"""An extractor small enough for tests, and what is counted of its work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks.evaluation.fidelity import extractors
from benchmarks.evaluation.fidelity.extractors import (
    Extractor,
    ExtractorSpec,
    FeatureLayers,
    find_extractor,
)
from benchmarks.evaluation.fidelity.features import FeatureExtractor, Features
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
    layers = FeatureLayers("early", "final", "logits")
    spec = ExtractorSpec(layers, lambda given, fetch: weights, sha256="")
    monkeypatch.setitem(extractors.EXTRACTORS, "tiny", spec)
    return find_extractor("tiny")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were computed, one entry for every call."""
    calls: list[int] = []
    compute = FeatureExtractor.__call__

    def count(extractor: FeatureExtractor, images: Tensor, progress: Progress = silent) -> Features:
        calls.append(len(images))
        return compute(extractor, images, progress)

    monkeypatch.setattr(FeatureExtractor, "__call__", count)
    return calls
