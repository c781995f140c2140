"""The CPU by its maker's name, on every kind of machine."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine import processor
from benchmarks.engine.processor import processor_in_use, processor_name

INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R)  Xeon(R) 8480C\n"
ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n"


@pytest.fixture(autouse=True)
def _asked_anew() -> Any:
    processor_name.cache_clear()
    yield
    processor_name.cache_clear()


def on(
    system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str, said: str | None
) -> str:
    """The name on ``system``, where every command prints ``said``, or is not there."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if said is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, said, "")

    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "processor", lambda: "Intel64 Family 6 Model 143")
    monkeypatch.setattr(subprocess, "run", run)
    return processor_name()


@pytest.mark.parametrize(
    ("system", "cpuinfo", "said", "name"),
    [
        ("Linux", INTEL, None, "Intel(R) Xeon(R) 8480C"),
        ("Linux", ARM, "Architecture: aarch64\nModel name: Neoverse-V2\n", "Neoverse-V2"),
        ("Darwin", "", "Apple M3 Pro\n", "Apple M3 Pro"),
        ("Windows", "", None, "Intel64 Family 6 Model 143"),
        ("Linux", ARM, None, "Intel64 Family 6 Model 143"),
    ],
    ids=["x86", "ARM", "macOS", "Windows", "nothing but the platform"],
)
def test_the_name_on_each_system(
    system: str,
    cpuinfo: str,
    said: str | None,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert on(system, monkeypatch, tmp_path, cpuinfo, said) == name


def test_a_machine_without_a_name_has_its_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(processor, "_output", lambda *command: "")
    assert processor_name() == "riscv64"


@pytest.mark.parametrize(
    ("instructions", "name"),
    [("AVX2", "AMD EPYC with AVX2"), ("AVX512", "AMD EPYC with AVX512"), ("DEFAULT", "AMD EPYC")],
)
def test_generations_that_share_a_name_are_told_apart(
    instructions: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on("Linux", monkeypatch, tmp_path, "model name\t: AMD EPYC\n", None)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: instructions)
    assert processor_in_use() == name


def test_this_machine_has_a_name() -> None:
    assert processor_name()
    assert processor_name() == " ".join(processor_name().split())
