"""The methods that optimise batch by batch: capture, precision, repetition, memory, waiting."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch

from benchmarks.perf.gpu_check.batches import STEPS, Case, Runs
from benchmarks.perf.gpu_check.cases import Sizes
from benchmarks.perf.gpu_check.check import Check, Measured, cuda_missing, differing, relative
from benchmarks.perf.gpu_check.replays import guarded
from naturalinversion import Batch
from naturalinversion.errors import DivergedError

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "DI": ("di", {}),
    "ADI": ("adi", {}),
    "NI": ("ni", {}),
    "NI, cosine": ("ni", {"schedule": "cosine"}),
    "NI, feature gradient": ("ni", {"feature_gradient": True}),
    "NI, shared, latents once": ("ni", {"one_to_one": False, "shared_latents": "once"}),
    "NI, shared, latents every step": ("ni", {"one_to_one": False}),
    "NI+ADI": ("ni_adi", {}),
}
CAPTURED = 1e-5  # a captured step does what the step does
FIRST, LATER = 1e-5, 1e-3  # float32 against float64: rounding grows from step to step
FIRST_BF16 = 0.01
END = 0.05  # bfloat16 against float32 where a batch ends
LAST = 4  # iterations whose mean loss is where a batch ends


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """Every case on every architecture."""
    cuda = cuda_missing(device)
    for arch in sizes.archs:
        for name, (method, settings) in CASES.items():
            runs = Runs(Case(method, settings, arch, sizes, device))
            about = f"{name}, {arch}"
            yield Check(f"{about}: captured", partial(captured, runs), cuda)
            yield Check(f"{about}: steps", partial(steps, runs))
            yield Check(f"{about}: bf16", partial(end, runs))
            yield Check(f"{about}: again", partial(again, runs))
            yield Check(f"{about}: memory", partial(memory, runs), cuda)
            yield Check(f"{about}: waits", partial(waits, runs), cuda)
    yield Check("NaN ends a batch", partial(not_a_number, device, sizes))


def captured(runs: Runs) -> Sequence[Measured]:
    """The captured loop against the same loop without capture, every loss and the images."""
    return (
        Measured("losses to eager", _losses(runs.captured, runs.eager), CAPTURED),
        Measured("images", relative(runs.captured.images, runs.eager.images), CAPTURED),
    )


def steps(runs: Runs) -> Sequence[Measured]:
    """Every term in float32 against the CPU's in float64, before the first step and after some."""
    found, expected = runs.captured, runs.in_float64()
    parts = slice(1), slice(1, STEPS)
    first, later = (_losses(_only(found, part), _only(expected, part)) for part in parts)
    return (
        Measured("first to float64 on the CPU", first, FIRST),
        Measured("later", later, LATER),
    )


def end(runs: Runs) -> Sequence[Measured]:
    """Every term in bfloat16 and in float32: where it begins and where it ends."""
    found, expected = (
        torch.stack(
            [torch.stack([history[0], history[-LAST:].mean()]) for history in batch.losses.values()]
        )
        for batch in (runs.in_bf16[0], runs.captured)
    )
    first, last = (found / expected - 1).abs().amax(dim=0).tolist()
    return Measured("first loss to float32", first, FIRST_BF16), Measured("end", last, END)


def again(runs: Runs) -> Sequence[Measured]:
    """Batches made again after another one, in bfloat16."""
    made: dict[int, Batch] = {}
    differ = 0
    for seed, batch in zip(runs.case.sizes.seeds, runs.in_bf16, strict=True):
        differ += _bytes(batch, made.setdefault(seed, batch))
    return [Measured("bytes that differ", differ, 0)]


def memory(runs: Runs) -> Sequence[Measured]:
    """Of the device: what every batch after the second adds, allocated and reserved by PyTorch.

    Allocated bytes tell of the smallest tensor that a batch leaves behind; reserved ones come in
    segments of 2 MB or more, and tell of memory that is free but in pieces. The second batch does
    for the first time what all later ones do.
    """
    assert runs.in_bf16
    return (
        Measured("bytes more by every batch", _by_every_batch(runs.allocated), 0),
        Measured("MB reserved", _by_every_batch(runs.reserved) / 1e6, 0),
    )


def waits(runs: Runs) -> Sequence[Measured]:
    """A batch whose later iterations may not wait for the device, and have to be replays."""
    assert runs.in_bf16
    with guarded(runs.case.sizes.iterations) as guard:
        made = runs.prepared_bf16.batch(0, guard.progress)
    return (
        Measured("iterations not guarded", guard.unguarded, guard.first),
        Measured("guarded, no replay", guard.iterations - guard.replays, 0),
        Measured("bytes that differ", _bytes(made, runs.in_bf16[0]), 0),
    )


def _by_every_batch(held: Sequence[int]) -> int:
    """The least that one of the batches after the second added: a segment taken once is no leak."""
    return min(later - before for before, later in pairwise(held[1:]))


def not_a_number(device: torch.device, sizes: Sizes) -> Sequence[Measured]:
    """A batch that diverges in its first steps is left long before its last."""
    iterations, done = 1000, 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps

    case = Case("di", {"iterations": iterations, "rate": 1e30}, "resnet18", sizes, device)
    try:
        case.prepared(device).batch(0, progress)
    except DivergedError:
        return [Measured("iterations until it is noticed", done, 450)]
    raise RuntimeError("a loss that is no number was not noticed")


def _only(batch: Batch, part: slice) -> Batch:
    """With the losses of some iterations."""
    losses = {name: history[part] for name, history in batch.losses.items()}
    return replace(batch, losses=losses)


def _losses(found: Batch, expected: Batch) -> float:
    """The largest relative difference of a term in an iteration."""
    if found.losses.keys() != expected.losses.keys():
        raise ValueError(f"terms {sorted(found.losses)}, expected {sorted(expected.losses)}")
    pairs = ((found.losses[name], history) for name, history in expected.losses.items())
    return max(
        relative(one, other)
        for values, history in pairs
        for one, other in zip(values, history, strict=True)
    )


def _bytes(one: Batch, other: Batch) -> int:
    same = [(one.images, other.images)]
    same += [(history, other.losses[name]) for name, history in one.losses.items()]
    return sum(differing(*pair) for pair in same)
