"""How many iterations a second so many processes make together on one GPU, each a batch of its own.

    python -m benchmarks.perf.side_by_side --method ni --counts 1 8 15

A VGG-11 as at scale small: a quarter of the width, 128 images, bf16.
"""

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from typing import Annotated

import torch
import tyro

from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.perf.stopwatch import Stopwatch
from benchmarks.perf.synthesis_speed import Case, new_batch
from naturalinversion.precision import Precision

ITERATIONS = 200
SECONDS = 120.0  # after which a process that has not come is not waited for


def main(
    method: str = "ni",
    counts: Annotated[tuple[int, ...], tyro.conf.arg(metavar="COUNT")] = (1, 8, 15),
    device: str = "cuda",
    iterations: int = ITERATIONS,
) -> None:
    """Print a line for each count.

    Args:
        method: di, adi, ni or ni_adi
        counts: numbers of processes
        device: where they all compute
        iterations: of the batch that is timed; the one before it captures the step
    """
    for count in counts:
        rates = together(method, count, device, iterations)
        each = min(rates)
        print(
            f"{count:3} processes: {sum(rates):7.1f} iterations a second, at least {each:.1f} each"
        )
        sys.stdout.flush()


def together(method: str, count: int, device: str, iterations: int) -> list[float]:
    """Iterations a second of each of ``count`` processes that run at the same time."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(count), context.Queue()
    arguments = (method, device, iterations, barrier, queue)
    processes = [context.Process(target=_one, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    rates = [queue.get(timeout=2 * SECONDS) for _ in processes]
    for process in processes:
        process.join()
    return rates


def _one(
    method: str,
    device: str,
    iterations: int,
    barrier: Barrier,
    queue: "multiprocessing.Queue[float]",
) -> None:
    precision: Precision = "bf16" if device != "cpu" else "fp32"
    set_up_torch(Machine(device, precision, 1))
    case = Case("vgg11", 0.25, 32, 128, torch.device(device))
    step, _ = new_batch(
        case, method, precision, iterations, Stopwatch(case.device), lambda: barrier.wait(SECONDS)
    )
    queue.put(1e3 / step["milliseconds"])


if __name__ == "__main__":
    tyro.cli(main)
