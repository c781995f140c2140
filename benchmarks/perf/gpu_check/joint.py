"""DAFL, DFAD and WGAN-GP: some steps against the CPU, captured ones against the steps themselves.

An epoch is one step where steps are compared, so that the losses of each can be read; where they
are to be captured it has several.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from baselines import METHODS
from baselines.wgan_gp import WassersteinGAN
from baselines.wgan_settings import WassersteinSettings
from benchmarks.perf.gpu_check.cases import CPU, Sizes, network_on, teacher
from benchmarks.perf.gpu_check.check import Check, Measured, cuda_missing, differing, relative
from naturalinversion import Training
from naturalinversion.inversion.cuda_graph import eager
from naturalinversion.precision import Precision, compute_in
from naturalinversion.synthesis import balanced_labels

NAMES = {"DAFL": "dafl", "DFAD": "dfad"}
RATE = 0.001  # of the student: large steps of small batches multiply every rounding
STEPS = 4  # compared with the CPU
FIRST, LATER, BF16, CAPTURED = 1e-4, 0.05, 0.1, 1e-5

Losses = dict[str, Tensor]  # (epochs,) or (iterations,)


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """Of each method."""
    cuda = cuda_missing(device)
    for about, name in NAMES.items():
        runs = Joint(name, sizes, device)
        yield Check(f"{about}: steps", partial(_steps, runs))
        yield Check(f"{about}: bf16", partial(_bf16, runs))
        yield Check(f"{about}: captured", partial(_captured, runs), cuda)
        yield Check(f"{about}: again", partial(_again, runs))
    yield Check("WGAN-GP: steps", partial(_wgan_steps, sizes, device))
    yield Check("WGAN-GP: captured", partial(_wgan_captured, sizes, device), cuda)
    yield Check("WGAN-GP: again", partial(_wgan_again, sizes, device))


@dataclass(frozen=True)
class Joint:
    """A method that trains its student together with a generator."""

    name: str
    sizes: Sizes
    device: torch.device

    def run(
        self,
        device: torch.device,
        epochs: int,
        steps: int,
        precision: Precision = "fp32",
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Losses by epoch, and what there is in the end: the student's weights, and images."""
        sizes = self.sizes
        method: Any = METHODS[self.name](
            **{"epochs": epochs, "steps": steps, "batch_size": sizes.joint, "latent": 32},
            **{"generator_width": sizes.width, "rate_student": RATE},
        )
        student = network_on("resnet18", sizes, device, dtype, 1)
        of = teacher("resnet18", sizes, device, precision, dtype)
        method.prepare(of, student, 0, Training())
        labels = balanced_labels(sizes.batch, of.num_classes, 0).to(device)
        batch = method.batch(labels, 0, lambda steps: None)
        return dict(batch.losses), {"images": batch.images, **student.state_dict()}


def _steps(runs: Joint) -> Sequence[Measured]:
    found, _ = runs.run(runs.device, STEPS, 1)
    expected, _ = runs.run(CPU, STEPS, 1, dtype=torch.float64)
    first, later = _differences(found, expected)
    return Measured("first to float64 on the CPU", first, FIRST), Measured("later", later, LATER)


def _bf16(runs: Joint) -> Sequence[Measured]:
    found, _ = runs.run(runs.device, 1, 1, "bf16")
    expected, _ = runs.run(CPU, 1, 1)
    first, _ = _differences(found, expected)
    return [Measured("first to the CPU", first, BF16)]


def _captured(runs: Joint) -> Sequence[Measured]:
    found, ends = runs.run(runs.device, *runs.sizes.long)
    with eager():
        expected, eager_ends = runs.run(runs.device, *runs.sizes.long)
    losses = max(_differences(found, expected))
    return (
        Measured("losses to eager", losses, CAPTURED),
        Measured("student, images", _apart(ends, eager_ends), CAPTURED),
    )


def _again(runs: Joint) -> Sequence[Measured]:
    _, one = runs.run(runs.device, *runs.sizes.long, "bf16")
    _, other = runs.run(runs.device, *runs.sizes.long, "bf16")
    return [Measured("bytes that differ", sum(differing(one[n], other[n]) for n in one), 0)]


def _wgan(
    sizes: Sizes, device: torch.device, iterations: int, without_capture: bool = False
) -> tuple[Losses, dict[str, Tensor]]:
    """Losses by iteration, and images in the end; nothing is captured if ``without_capture``."""
    real = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    settings = WassersteinSettings(
        iterations=iterations,
        critic_steps=2,
        batch_size=sizes.batch,
        generator_batch_size=2 * sizes.batch,
        latent=32,
        width=sizes.width,
    )

    def draw(count: int, draws: torch.Generator) -> Tensor:
        return real[torch.randint(len(real), (count,), generator=draws)]

    gan = WassersteinGAN(settings, 32, device)
    with compute_in(device, "fp32"), eager() if without_capture else nullcontext():
        gan.train(draw, seed=0)
        return dict(gan.losses), {"images": gan.sample(8, 0)}


def _wgan_steps(sizes: Sizes, device: torch.device) -> Sequence[Measured]:
    found, _ = _wgan(sizes, device, STEPS)
    expected, _ = _wgan(sizes, CPU, STEPS)
    first, later = _differences(found, expected)
    return Measured("first to the CPU", first, FIRST), Measured("later", later, LATER)


def _wgan_captured(sizes: Sizes, device: torch.device) -> Sequence[Measured]:
    found, ends = _wgan(sizes, device, 2 * sizes.long[1])
    expected, eager_ends = _wgan(sizes, device, 2 * sizes.long[1], without_capture=True)
    losses = max(_differences(found, expected))
    return (
        Measured("losses to eager", losses, CAPTURED),
        Measured("images", _apart(ends, eager_ends), CAPTURED),
    )


def _wgan_again(sizes: Sizes, device: torch.device) -> Sequence[Measured]:
    (_, one), (_, other) = (_wgan(sizes, device, sizes.long[1]) for _ in range(2))
    return [Measured("bytes that differ", differing(one["images"], other["images"]), 0)]


def _differences(found: Losses, expected: Losses) -> tuple[float, float]:
    """The largest relative difference of a term in the first step, and in all later ones."""
    if found.keys() != expected.keys():
        raise ValueError(f"terms {sorted(found)}, expected {sorted(expected)}")
    each = [
        [relative(a, b) for a, b in zip(found[name], expected[name], strict=True)]
        for name in expected
    ]
    steps = [max(terms) for terms in zip(*each, strict=True)]
    return steps[0], max(steps[1:], default=0.0)


def _apart(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    return max(relative(found[n], t) for n, t in expected.items() if t.is_floating_point())
