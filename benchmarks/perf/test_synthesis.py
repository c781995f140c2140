"""One iteration of each inversion method against the published one, in the same run."""

from typing import Any

import pytest
import torch

from benchmarks.perf.networks import SETTINGS, method, teacher
from benchmarks.perf.ratio_clock import Comparison, cpu_seconds
from benchmarks.perf.reference import reference_batch
from naturalinversion.synthesis import balanced_labels

MORE = 4  # iterations: of a single one the difference is noise
RENDERED_AGAIN = 1 / 9  # of a batch's iterations: how often the lowest loss falls


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("arch", ["resnet34", "vgg11", "vgg16", "resnet18", "mobilenetv2"])
@pytest.mark.parametrize("name", list(SETTINGS))
def test_demo_step(name: str, arch: str, compare: Comparison) -> None:
    """The demo's width, image size and batch."""
    of, labels = teacher(arch, 0.125, 16), balanced_labels(50, 10, 0)
    made = method(name, of, 5, **SETTINGS[name])
    compare(
        lambda: reference_batch(made, of, labels, 0),
        lambda: made.batch(labels, 0, lambda steps: None),
    )


def test_full_step(compare: Comparison) -> None:
    """NaturalInversion, ResNet-34 at full width, 32 images, rendered again as in a whole batch."""
    of, labels = teacher("resnet34", 1.0, 32), balanced_labels(32, 10, 0)

    def step(published: bool, keep: str) -> float:
        """CPU seconds of an iteration: of `MORE` more, so that set-up and the last image cancel."""
        few, many = (method("ni", of, count, keep=keep) for count in (1, 1 + MORE))
        return (cpu_seconds(run(published, many)) - cpu_seconds(run(published, few))) / MORE

    def run(published: bool, made: Any) -> Any:
        if published:
            return lambda: reference_batch(made, of, labels, 0)
        return lambda: made.batch(labels, 0, lambda steps: None)

    def turn() -> tuple[float, float]:
        every, never = step(True, "best"), step(True, "last")
        return never + (every - never) * RENDERED_AGAIN, step(False, "best")

    def share(seconds: float) -> str:
        rate = flops(32) / seconds / convolution_rate()
        return f", {rate:.0%} of the machine's rate for 3x3 convolutions"

    compare.turns(turn, 4, share)


def flops(batch: int) -> float:
    """Of a step: two looks at ResNet-34 and one gradient, and the generator's three passes."""
    forward, generator = 2 * 1.16e9, 2 * 0.15e9
    return batch * (3 * forward + 3 * generator)


def convolution_rate() -> float:
    """FLOP per CPU second of a 3x3 convolution of 128 channels."""
    shape = (32, 128, 16, 16)
    images = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3).contiguous(memory_format=torch.channels_last)

    def convolve() -> None:
        for _ in range(20):
            torch.nn.functional.conv2d(images, weight, padding=1)

    convolve()
    seconds = sorted(cpu_seconds(convolve) for _ in range(5))[2]
    return 20 * 2 * 32 * 128 * 128 * 9 * 256 / seconds
