"""The command line of ``make bench-gpu``."""

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import tyro

from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.perf.gpu.kernels import kernel_table
from benchmarks.perf.gpu.measure import Found, Sizes, measure, name_of
from benchmarks.perf.gpu.targets import table, targets
from benchmarks.perf.synthesis_speed import Case
from naturalinversion.files import write_atomically

RESULTS = Path(__file__).parents[1] / "results"
NO_GPU = 3
SIZES = Sizes()


def main(
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = SIZES,
    out: Path = RESULTS,
    profile: bool = False,
) -> int:
    """Measure, print one table and write OUT/<device>.json, less than two minutes on an H100.

    Exit code 3 without a GPU, 1 where something could not be measured.

    Args:
        out: folder of the JSON, which is written after every part
        profile: print a table of the kernels of one NI iteration instead, on a CPU if there is
            no GPU
    """
    on_gpu = torch.cuda.is_available()
    if not on_gpu and not profile:
        print("bench-gpu needs a CUDA device, and this machine has none", file=sys.stderr)
        return NO_GPU
    machine = Machine("cuda" if on_gpu else "cpu", "bf16", torch.get_num_threads())
    device = set_up_torch(machine)  # as a run does
    if profile:
        case = Case(sizes.arch, sizes.width, sizes.image, sizes.batch, device)
        print(kernel_table(case, "ni", "bf16"))
        return 0
    return report(sizes, device, out)


def report(sizes: Sizes, device: torch.device, out: Path) -> int:
    """Measure on ``device``, print the table, write the file; the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{re.sub(r'[^a-z0-9]+', '-', name_of(device).lower())}.json"
    say = partial(print, file=sys.stderr, flush=True)
    found = measure(sizes, device, say, partial(_write, path))
    print(table(found))
    print(f"written: {path}", file=sys.stderr)
    return 1 if found["failed"] else 0


def command() -> int:
    """`main` with the arguments of the command line."""
    return int(tyro.cli(main, prog="python -m benchmarks.perf.gpu"))


def _write(path: Path, found: Found) -> None:
    judged = {target.name: target.as_json() for target in targets(found)}
    write_atomically(path, (json.dumps({**found, "targets": judged}, indent=2) + "\n").encode())
