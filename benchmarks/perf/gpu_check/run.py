"""Runs the checks: one line each, and the last one counts."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
import tyro

from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.engine.packages import not_installed
from benchmarks.perf.gpu_check import features, joint, norms, sequential, synthesis, training
from benchmarks.perf.gpu_check.cases import SIZES
from benchmarks.perf.gpu_check.check import Check

NO_GPU = 3
THREADS = 8  # at most: the networks are small
SECONDS = 68.0  # the last check begins by then, and all ends within 75 with Python's start
VERDICTS = ("PASS", "FAIL")


def all_checks(device: torch.device) -> Iterator[Check]:
    """Every check, the quick ones and those that most depends on first."""
    sizes = SIZES[device.type]
    yield from norms.checks(device)
    yield from training.checks(device, sizes)
    yield from features.checks(device, sizes)
    yield from joint.checks(device, sizes)
    yield from sequential.checks(device, sizes)
    yield from synthesis.checks(device, sizes)


def run(
    checks: Sequence[Check],
    *,
    say: Callable[[str], None] = print,
    seconds: float = 0.0,
) -> int:
    """Run all, ``say`` a line for each; returns the exit code: 1 when any failed.

    After ``seconds`` (0: never) what is left fails unrun, so that the last line is there in time.
    """
    started, counts = time.monotonic(), Counter[str]()
    for check in checks:
        begun = time.monotonic()
        if seconds and begun - started > seconds:
            verdict, text = "FAIL", f"not run: {seconds:g} s are over"
        else:
            verdict, text = _outcome(check)
        counts[verdict] += 1
        shown = verdict if verdict in VERDICTS else "----"
        say(f"{shown}  {check.name}: {text}  {time.monotonic() - begun:.1f} s")
    needs = [f"{n} need {what}" for what, n in sorted(counts.items()) if what not in VERDICTS]
    total = time.monotonic() - started
    say(
        ", ".join(
            [f"{counts['PASS']} passed", f"{counts['FAIL']} failed", *needs, f"{total:.0f} s"]
        )
    )
    return 1 if counts["FAIL"] else 0


def _outcome(check: Check) -> tuple[str, str]:
    if check.needs:
        return check.needs, f"needs {check.needs}: not run"
    try:
        found = list(check.run())
    except ModuleNotFoundError as error:
        return "FAIL", not_installed(error)
    except Exception as error:  # whatever a device or a library raises
        lines = str(error).strip().splitlines()
        return "FAIL", f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
    verdict = "PASS" if found and all(figure.passed for figure in found) else "FAIL"
    return verdict, ", ".join(map(str, found)) or "nothing measured"


def main(
    device: Literal["cuda", "cpu"] = "cuda",
    only: tuple[str, ...] = (),
    seconds: float | None = None,
) -> int:
    """Check what runs on the device against the CPU; exit code 1 when a check fails.

    Args:
        device: exit code 3 without it; on the CPU what can run there runs, in small sizes
        only: run checks whose names contain one of these
        seconds: fail what has not begun by then; 0 waits for all, the default is 68 on CUDA
    """
    if device == "cuda" and not torch.cuda.is_available():
        print("gpu-check needs a CUDA device, and this machine has none", file=sys.stderr)
        return NO_GPU
    threads = min(THREADS, torch.get_num_threads())
    where = set_up_torch(Machine(device, "bf16", threads))  # as a run does
    checks = [c for c in all_checks(where) if not only or any(text in c.name for text in only)]
    if not checks:
        print(f"error: no check is called {' or '.join(only)}", file=sys.stderr)
        return 2
    limit = (SECONDS if device == "cuda" else 0.0) if seconds is None else seconds
    return run(checks, say=lambda line: print(line, flush=True), seconds=limit)


def command() -> int:
    """`main` with the arguments of the command line."""
    return int(tyro.cli(main, prog="python -m benchmarks.perf.gpu_check"))
