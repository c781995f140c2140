"""Small teachers for the whole suite; one thread, so that timings and sums repeat."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache

# Read when PyTorch is loaded. Two threads on cores that are busy otherwise spin for the other one
# to get its turn, at the end of every operation: ten times as long as when they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
import torch
from torch import nn

from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.classifiers.vgg import VGG
from naturalinversion.seeds import seeded
from tests.naturalinversion.fake_cuda_graph import FakeGraph, capture_on_cpu

# A shell's background job ignores Ctrl-C, and so would all that is begun and interrupted by tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _switches() -> Iterator[None]:
    """Restore torch's global options and the signal handler after each test."""
    handler = signal.getsignal(signal.SIGTERM)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def vgg7(num_classes: int, width: float) -> nn.Module:
    """The library's VGG with four stages of one convolution: quick, and not somebody else's."""
    return VGG(((64,), (128,), (256,), (512,)), num_classes, width)


@pytest.fixture(scope="session")
def make_teacher() -> Callable[..., Teacher]:
    """A randomly initialised teacher with running statistics."""

    @cache
    def network(arch: str, num_classes: int, size: int, width: float) -> nn.Module:
        with seeded(7):
            model = vgg7(num_classes, width) if arch == "vgg7" else build(arch, num_classes, width)
            model.train()
            with torch.no_grad():
                for _ in range(3):
                    model(torch.randn(16, 3, size, size))
        return model

    def make(
        arch: str = "vgg7", num_classes: int = 4, size: int = 16, width: float = 0.0625
    ) -> Teacher:
        model = copy.deepcopy(network(arch, num_classes, size, width))
        return Teacher(model, num_classes=num_classes, image_shape=(3, size, size))

    return make


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Steps on the CPU are captured and replayed; the graphs made."""
    return capture_on_cpu(monkeypatch)
