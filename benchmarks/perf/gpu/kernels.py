"""Where one iteration's time goes: a table of kernels, or on a CPU of operations."""

from typing import Any

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile, schedule

from benchmarks.perf.stopwatch import Stopwatch
from benchmarks.perf.synthesis_speed import BEFORE, Case
from naturalinversion.precision import Precision

ROWS = 40
NAME = 90  # characters of a kernel's name


def kernel_table(case: Case, name: str, precision: Precision) -> str:
    """Calls and time of each kernel in one iteration of the method ``name``, the longest first."""
    watch, marks = Stopwatch(case.device), [0.0]
    with _profiler(case.device) as profiler:

        def progress(steps: int) -> None:
            marks.append(watch.now())  # no kernel of one iteration runs on into the next
            profiler.step()

        case.method(name, BEFORE + 1, precision).batch(case.labels, 0, progress)
    milliseconds = 1e3 * (marks[-1] - marks[-2])
    rows = _rows(profiler, case.device)
    total, calls = sum(row[2] for row in rows), sum(row[1] for row in rows)
    frame = pd.DataFrame(rows[:ROWS], columns=["kernel", "calls", "ms"])
    frame["share"] = [f"{ms / total:.1%}" for ms in frame["ms"]]
    shown = frame.to_string(index=False, float_format="{:.3f}".format)
    head = (
        f"one iteration of {name}, {case.arch}, {case.batch} images, {precision}, with the "
        f"profiler {milliseconds:.2f} ms: {calls:,} calls of {len(rows)} kernels, {total:.2f} ms"
    )
    return f"{head}\n{shown}"


def _profiler(device: torch.device) -> Any:
    """Ready while the step is captured, as the kernels of a graph are else not told apart."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    one = schedule(wait=0, warmup=BEFORE, active=1, repeat=1)
    return profile(activities=activities, schedule=one)


def _rows(profiler: Any, device: torch.device) -> list[tuple[str, int, float]]:
    """Name, calls and milliseconds, the longest first."""
    on_gpu = device.type == "cuda"
    rows = []
    for event in profiler.key_averages():
        if on_gpu and event.device_type.name != "CUDA":
            continue
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if microseconds > 0:
            rows.append((event.key[:NAME], int(event.count), microseconds / 1e3))
    return sorted(rows, key=lambda row: row[2], reverse=True)
