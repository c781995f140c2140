"""What a record says about where its numbers came from, and what they cost."""

import platform
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.engine.context import Machine
from benchmarks.engine.memory import forget_peak, peak_memory
from naturalinversion.precision import effective_precision
from reports.records import Cost, Provenance

PACKAGES = ("naturalinversion", "torch", "torchvision", "numpy", "scikit-learn", "torch-fidelity")


class Meter:
    """Measures one cell, from its creation to `cost`."""

    def __init__(self, machine: Machine) -> None:
        self.device = machine.torch_device()
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._wall, self._cpu = time.monotonic(), time.process_time()
        forget_peak(self.device)

    def cost(self, images: int) -> Cost:
        """Seconds, process CPU seconds, images made, and peak memory in 1e6 bytes.

        Memory is the device's, or on a CPU the process's.
        """
        return Cost(
            seconds=round(time.monotonic() - self._wall, 3),
            cpu_seconds=round(time.process_time() - self._cpu, 3),
            images=images,
            peak_memory_mb=round(peak_memory(self.device), 1),
        )

    def provenance(self, machine: Machine) -> Provenance:
        """Commit, versions and machine."""
        name = machine.device
        if self.device.type == "cuda":
            name = f"{name} ({torch.cuda.get_device_name(self.device)})"
        return Provenance(
            commit=_commit(),
            versions=_versions(),
            device=name,
            precision=effective_precision(self.device, machine.precision),
            threads=machine.threads,
            platform=_platform(),
            started=self.started,
        )


def _platform() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


@cache
def _commit() -> str:
    """The checkout's commit, with ``+`` when files differ from it; empty outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
