"""How many iterations a second some processes make together on one GPU, each a batch of its own.

    python -m benchmarks.perf.side_by_side --method ni --counts 1 8 15

A VGG-11 as at scale small: a quarter of the width, 128 images, in bf16 on a GPU. Exit code 3
without a GPU, 1 where a process failed.
"""

import multiprocessing
import sys
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from queue import Empty
from typing import Annotated, Literal

import torch
import tyro

from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.perf.stopwatch import Stopwatch
from benchmarks.perf.synthesis_speed import Case, new_batch
from naturalinversion.precision import Precision

BATCH = 128
SECONDS = 120.0  # within which all processes of a count have to be there
NO_GPU = 3


def main(
    method: Literal["di", "adi", "ni", "ni_adi"] = "ni",
    counts: Annotated[tuple[int, ...], tyro.conf.arg(metavar="COUNT")] = (1, 8, 15),
    device: str = "cuda",
    iterations: int = 200,
    batch: int = BATCH,
) -> int:
    """Print a line for each count.

    Args:
        method: whose step it is
        counts: numbers of processes
        device: where they all compute
        iterations: of the batch that is timed; the one before it captures the step
        batch: images of a batch
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        print("side_by_side needs a CUDA device, and this machine has none", file=sys.stderr)
        return NO_GPU
    if min(counts, default=0) < 1:
        print("--counts: 1 or more processes", file=sys.stderr)
        return 2
    for count in counts:
        try:
            rates = together(method, count, device, iterations, batch)
        except ChildProcessError as error:
            print(f"{count} processes: {error}", file=sys.stderr)
            return 1
        line = f"{count:3} processes: {sum(rates):7.1f} iterations a second"
        print(f"{line}, the slowest {min(rates):.1f}", flush=True)
    return 0


def together(method: str, count: int, device: str, iterations: int, batch: int) -> list[float]:
    """Iterations a second of each of ``count`` processes that run at the same time.

    Raises ChildProcessError where one of them fails.
    """
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(count), context.Queue()
    arguments = (method, device, iterations, batch, barrier, queue)
    processes = [context.Process(target=_one, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        return _collect(processes, queue)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _collect(
    processes: Sequence[multiprocessing.process.BaseProcess],
    queue: "multiprocessing.Queue[float]",
) -> list[float]:
    rates: list[float] = []
    while len(rates) < len(processes):
        failed = [code for process in processes if (code := process.exitcode)]
        if failed:
            raise ChildProcessError(f"one ended with exit code {failed[0]}")
        try:
            rates.append(queue.get(timeout=0.2))
        except Empty:
            continue
    return rates


def _one(
    method: str,
    device: str,
    iterations: int,
    batch: int,
    barrier: Barrier,
    queue: "multiprocessing.Queue[float]",
) -> None:
    precision: Precision = "fp32" if device == "cpu" else "bf16"
    set_up_torch(Machine(device, precision, 1))
    case = Case("vgg11", 0.25, 32, batch, torch.device(device))
    watch = Stopwatch(case.device)
    step, _ = new_batch(case, method, precision, iterations, watch, lambda: barrier.wait(SECONDS))
    queue.put(1e3 / step["milliseconds"])


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
