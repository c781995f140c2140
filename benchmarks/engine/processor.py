"""This machine's CPU: its name, as its maker sells it, and the instructions in use."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import torch

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


def processor_in_use() -> str:
    """``AMD EPYC with AVX2``: a virtual machine's name may be that of several generations, some of
    which differ in their vector instructions, and so in speed and in the last digits.
    """
    instructions = torch.backends.cpu.get_cpu_capability()
    name = processor_name()
    return name if instructions == "DEFAULT" else f"{name} with {instructions}"


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
