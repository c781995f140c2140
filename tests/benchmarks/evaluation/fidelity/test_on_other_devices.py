"""What an extractor does on a device that is no CPU, seen on one that computes nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.evaluation.fidelity.bilinear import bilinear
from benchmarks.evaluation.fidelity.extractors import find_extractor
from tests.benchmarks.evaluation.fidelity.tiny import CPU, LITE, noise


class Operations(TorchDispatchMode):
    """The names of the operations done, and whether a convolution's images were rows of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.contiguous: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        if "convolution" in self.names[-1]:
            self.contiguous.append(args[0].is_contiguous())
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def _as_a_run_sets_torch_up() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)


def done(images: Tensor) -> Operations:
    network = find_extractor(LITE).build(images.device)
    with torch.no_grad(), Operations() as operations:
        network(images)
    return operations


def test_it_resizes_in_one_operation_and_convolves_rows_of_pixels() -> None:
    operations = done(torch.empty(2, 3, 32, 32, dtype=torch.uint8, device="meta"))
    assert operations.names.count("upsample_bilinear2d") == 1
    assert not [name for name in operations.names if name.startswith(("index", "_unsafe_index"))]
    assert len(operations.contiguous) > 45
    assert all(operations.contiguous)
    assert all(
        p.is_contiguous() for p in find_extractor(LITE).build(torch.device("meta")).parameters()
    )


def test_a_cpu_keeps_its_own_layout() -> None:
    assert not any(done(noise(2, 32, 0)).contiguous)


def test_the_usual_function_would_take_the_resizing_apart() -> None:
    """If PyTorch no longer does, `bilinear` is not needed."""
    with Operations() as operations:
        F.interpolate(torch.empty(1, 3, 8, 8, device="meta"), size=12, mode="bilinear")
    assert "upsample_bilinear2d" not in operations.names
    assert len(operations.names) > 20


@pytest.mark.parametrize("sizes", [(32, 224), (299, 299), (9, 5)])
def test_resizing_is_the_usual_functions_in_every_bit(sizes: tuple[int, int]) -> None:
    images = noise(3, sizes[0], 1).float().to(CPU)
    usual = F.interpolate(images, size=(sizes[1],) * 2, mode="bilinear", align_corners=False)
    assert torch.equal(bilinear(images, sizes[1]), usual)
