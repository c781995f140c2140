"""The name of this machine's CPU, as its maker sells it."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


@cache
def processor_name() -> str:
    """``Intel(R) Xeon(R) Platinum 8480C``; what the platform calls it where it has no such name."""
    system = platform.system()
    name = ""
    if system == "Linux":  # an ARM has no name in its file, but lscpu knows its parts
        name = _field("model name", _read(CPU_INFO)) or _field("Model name", _output("lscpu"))
    elif system == "Darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
    return " ".join((name or platform.processor() or platform.machine()).split())


def _field(name: str, text: str) -> str:
    """The value of the first line ``name: value``; empty without one."""
    for line in text.splitlines():
        label, colon, value = line.partition(":")
        if colon and label.strip() == name:
            return value.strip()
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}  # labels in English
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=10, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
