"""The metrics that grow with the square of the images, and features that are computed once."""

from pathlib import Path

import pytest
import torch

from benchmarks.evaluation.fidelity import torch_fidelity_api
from benchmarks.evaluation.fidelity.extractors import find_extractor
from benchmarks.evaluation.fidelity.features import cached_real_features, extract
from benchmarks.perf.ratio_clock import Comparison

CPU = torch.device("cpu")


@pytest.mark.usefixtures("one_thread")
def test_precision_and_recall(compare: Comparison) -> None:
    """4,000 against 4,000 features of 64: in chunks against all distances at once."""
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    torch.manual_seed(0)
    one, other = torch.randn(2, 4000, 64)
    compare(
        lambda: calculate_precision_recall_full(one, other, 3),
        lambda: torch_fidelity_api.precision_recall(one, other, 3, CPU),
    )


@pytest.mark.usefixtures("one_thread")
def test_real_features(compare: Comparison, tmp_path: Path) -> None:
    """Features of 64 real images, computed again or found."""
    extractor = find_extractor("efficientnet-lite0", None, False)
    images = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8)
    cached_real_features(images, extractor, CPU, tmp_path)
    compare(
        lambda: extract(images, extractor, CPU),
        lambda: cached_real_features(images, extractor, CPU, tmp_path),
    )
