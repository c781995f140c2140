"""One iteration of each inversion method against the published one, in the same run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from baselines import METHODS
from benchmarks.perf.pairs import Pair, cpu_seconds, in_turns
from benchmarks.perf.reference import reference_batch
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.synthesis import balanced_labels

NARROW = {"latent": 128, "generator_width": 0.25}  # the demo's generator
SETTINGS: dict[str, dict[str, Any]] = {"di": {}, "adi": {}, "ni": NARROW, "ni_adi": NARROW}
RENDERED_AGAIN = 1 / 9  # of a batch's iterations: how often the lowest loss falls
Report = Callable[..., None]


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """As a worker of the demo has it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def teacher(arch: str, width: float, size: int) -> Teacher:
    torch.manual_seed(0)
    return Teacher(build(arch, 10, width), num_classes=10, image_shape=(3, size, size))


def method(name: str, of: Teacher, iterations: int, **settings: Any) -> Any:
    found = METHODS[name](iterations=iterations, **settings)
    student = build("resnet18", 10, 0.125) if found.student_use == "compete" else None
    found.prepare(of, student, 0, Training())
    return found


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("arch", ["resnet34", "vgg11", "vgg16", "resnet18", "mobilenetv2"])
@pytest.mark.parametrize("name", list(SETTINGS))
def test_demo_step(name: str, arch: str, benchmark: BenchmarkFixture, report: Report) -> None:
    """The demo's width, image size and batch."""
    of, labels = teacher(arch, 0.125, 16), balanced_labels(50, 10, 0)
    made = method(name, of, 6, **SETTINGS[name])
    pair = in_turns(
        lambda: reference_batch(made, of, labels, 0),
        lambda: made.batch(labels, 0, lambda steps: None),
        5,
    )
    benchmark.extra_info["ratio"] = pair.ratio
    benchmark.pedantic(made.batch, args=(labels, 0, lambda steps: None), rounds=2)
    report(pair)


def test_full_step(benchmark: BenchmarkFixture, report: Report) -> None:
    """NaturalInversion, ResNet-34 at full width, 32 images, rendered again as in a whole batch."""
    of, labels = teacher("resnet34", 1.0, 32), balanced_labels(32, 10, 0)

    def step(run: Callable[[Any], object], keep: str) -> float:
        """CPU seconds of one more iteration, so that set-up and the last rendering cancel."""
        one, three = (method("ni", of, count, keep=keep) for count in (1, 3))
        return (cpu_seconds(lambda: run(three)) - cpu_seconds(lambda: run(one))) / 2

    def published(made: Any) -> object:
        return reference_batch(made, of, labels, 0)

    def fast(made: Any) -> object:
        return made.batch(labels, 0, lambda steps: None)

    step(fast, "best")
    slows, fasts = [], []
    for _ in range(5):
        every, never = step(published, "best"), step(published, "last")
        slows.append(never + (every - never) * RENDERED_AGAIN)
        fasts.append(step(fast, "best"))
    pair = Pair(tuple(slows), tuple(fasts))
    share = flops(32) / convolution_rate() / sorted(fasts)[len(fasts) // 2]
    benchmark.extra_info.update(ratio=pair.ratio, share_of_convolution_rate=share)
    benchmark.pedantic(fast, args=(method("ni", of, 1),), rounds=1)
    report(pair, f", {share:.0%} of the machine's rate for 3x3 convolutions")


def flops(batch: int) -> float:
    """Of a step: two looks at ResNet-34 and one gradient, and the generator's three passes."""
    look, generator = 2 * 1.16e9, 2 * 0.15e9
    return batch * (3 * look + 3 * generator)


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
