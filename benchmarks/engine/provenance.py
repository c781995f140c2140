"""What a record says about where its numbers came from, and what they cost."""

import platform
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.engine.attempts import Attempts
from benchmarks.engine.digests import PACKAGES as CODE
from benchmarks.engine.machine import Machine, peak_memory, reset_peak_memory
from benchmarks.engine.processor import processor_in_use
from naturalinversion.precision import effective_precision
from reports.machine import machine_name
from reports.records import Cost, Provenance

PACKAGES = ("naturalinversion", "torch", "torchvision", "numpy", "scikit-learn", "torch-fidelity")


class CostMeter:
    """Measures one cell, from its creation to `cost`, on top of what ``earlier`` attempts took."""

    def __init__(self, machine: Machine, earlier: Attempts) -> None:
        self.device = machine.torch_device()
        self.earlier = earlier
        self.provenance = provenance_here(machine)
        self._wall, self._cpu = time.monotonic(), time.process_time()
        reset_peak_memory(self.device)

    def cost(self, images: int) -> Cost:
        """Seconds, process CPU seconds, images made, and peak memory in 1e6 bytes.

        Memory is the device's, or on a CPU the process's.
        """
        before = self.earlier.cost
        return Cost(
            seconds=round(before.seconds + time.monotonic() - self._wall, 3),
            cpu_seconds=round(before.cpu_seconds + time.process_time() - self._cpu, 3),
            images=images,
            peak_memory_mb=round(max(before.peak_memory_mb, peak_memory(self.device)), 1),
        )

    def attempts(self) -> Attempts:
        """The cost until now of this attempt and of those before it."""
        machines = dict.fromkeys([*self.earlier.machines, machine_name(self.provenance)])
        commits = dict.fromkeys([*self.earlier.commits, self.provenance.commit])
        return Attempts(self.cost(0), self.earlier.attempts + 1, list(machines), list(commits))

    def notes(self) -> list[str]:
        """What a reader must know of several attempts: how many, where, by which code."""
        if not self.earlier.attempts:
            return []
        attempts = self.attempts()
        where = f", on {' and on '.join(attempts.machines)}" if len(attempts.machines) > 1 else ""
        notes = [f"made in {attempts.attempts} attempts; the cost is that of all{where}"]
        commits = [commit or "unknown" for commit in attempts.commits]
        if len(commits) > 1:
            notes.append(f"made with the code of several commits: {', '.join(commits)}")
        return notes


def provenance_here(machine: Machine) -> Provenance:
    """Commit, versions and machine, now. Raises `UsageError` when the device is not there."""
    device, name = machine.torch_device(), machine.device
    if device.type == "cuda":
        name = f"{name} ({torch.cuda.get_device_name(device)})"
    return Provenance(
        commit=commit_here(),
        versions=_versions(),
        device=name,
        precision=effective_precision(device, machine.precision),
        threads=machine.threads,
        platform=_platform(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=processor_in_use(),
        deterministic=machine.is_deterministic(),
    )


def _platform() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


@cache
def commit_here() -> str:
    """The checkout's commit, with ``+`` when files differ from it or code and recipes were added;
    empty outside a checkout.

    A repository that only surrounds an installed suite, in ``.venv`` for one, is not its checkout.
    """

    code = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(code.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", code.name)
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
        made_with = [f":(top){package}/*{kind}" for package in CODE for kind in (".py", ".toml")]
        added = git("ls-files", "--others", "--exclude-standard", "--", *made_with)
        return commit + ("+" if changed or added else "")
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
