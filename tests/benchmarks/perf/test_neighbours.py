"""Precision and recall never hold a whole table of distances."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.evaluation.fidelity import torch_fidelity_api
from benchmarks.perf.neighbours import Sizes, main, measure

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


def test_time_and_memory_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Sizes(images=3000, features=4), threads=1, out=tmp_path / "deep" / "found.json")
    found = json.loads((tmp_path / "deep" / "found.json").read_text())
    assert (found["images"], found["threads"], found["full_mb"]) == (3000, 1, 36.0)
    assert found["seconds"] > 0
    printed = capsys.readouterr().out
    assert printed.startswith("3,000 against 3,000 images, 4 features, cpu, 1 threads: ")


def test_memory_counts_what_is_held_beside_the_features() -> None:
    """A strip of distances and its copy, at least; the features' own 8 MB not."""
    found = measure(Sizes(images=4000, features=512), CPU)
    strip = 4 * torch_fidelity_api.KNN_BATCH * 4000 / 1e6
    assert strip <= found.peak_mb < 20 * strip
