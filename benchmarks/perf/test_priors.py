"""R_BN with its gradient, against hooks that take mean and variance in passes of their own."""

import pytest
import torch

from benchmarks.perf.networks import teacher
from benchmarks.perf.ratio_clock import Comparison
from benchmarks.perf.reference import PublishedTeacher
from naturalinversion import priors


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("arch", ["resnet34", "vgg11", "mobilenetv2"])
def test_bn_statistics(arch: str, compare: Comparison) -> None:
    """R_BN of 50 images of 16 pixels and its gradient with respect to them."""
    of = teacher(arch, 0.125, 16)
    published = PublishedTeacher(of)
    images = torch.randn(50, 3, 16, 16)

    def slow() -> None:
        leaf = images.clone().requires_grad_()
        published(leaf)
        sum(published.distances, torch.zeros(())).backward()  # type: ignore[no-untyped-call]

    def fast() -> None:
        leaf = images.clone().requires_grad_()
        priors.bn_statistics(of.observe(leaf, statistics=True).statistics).backward()  # type: ignore[no-untyped-call]

    compare(slow, fast)
