"""The command line in tests: as a process of its own, or in this one."""

import io
import re
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

from benchmarks.cli.main import main
from tests.processes import environment

ONE = ["--threads", "1", "--device", "cpu", "--workers", "1"]
TINY = [
    "--rows=resnet34-resnet18",
    "--set=protocol.network.width=0.0625",
    "--set=protocol.classifier_floor=0",
    *(f"--set=protocol.{who}.epochs=1" for who in ("classifier", "student")),
    *(f"--set=protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student")),
    *(f"--set=protocol.{who}.batch_size=32" for who in ("classifier", "student")),
    *(f"--set={name}.batch_size=20" for name in ("di", "adi", "dafl")),
    *(f"--set={name}.settings.iterations=3" for name in ("di", "adi")),
    "--set=di.batches=2",
    "--set=adi.batches=3",
    "--set=adi.rounds.start_batches=1",
    "--set=adi.rounds.rounds=2",
    "--set=adi.rounds.student.epochs=1",
    "--set=adi.rounds.student.updates_per_epoch=2",
    "--set=dafl.batches=2",
    "--set=dafl.settings.epochs=2",
    "--set=dafl.settings.steps=2",
    "--set=dafl.settings.batch_size=16",
    "--set=dafl.settings.latent=8",
]


def tiny(*methods: str) -> list[str]:
    """`TINY` without the settings of other methods, which a run of these alone refuses."""
    read = {"--rows", "--set=protocol", *(f"--set={method}" for method in methods)}
    return [text for text in TINY if re.split("=resnet|[.]", text)[0] in read]


def shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``python -m benchmarks …`` from another folder, as a process of its own."""
    settings = environment(OMP_NUM_THREADS="1", NO_COLOR="1")
    settings.pop("NATURALINVERSION_DATA", None)
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True)


def in_this_process(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """What `shell` does in this process, for fixtures of a module: code, stdout, stderr.

    PyTorch need not be loaded anew, and is as deterministic afterwards as before.
    """
    strict = torch.are_deterministic_algorithms_enabled()
    only_warn = torch.is_deterministic_algorithms_warn_only_enabled()
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            chdir(cwd),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as caught,
        ):
            main(arguments)
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=only_warn)
    assert isinstance(caught.value.code, int)
    return caught.value.code, out.getvalue(), err.getvalue()


def here(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The same in this process: exit code, stdout, stderr."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capfd.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out, captured.err


def one_line(text: str) -> str:
    """The only line of ``text``, an error."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("error: ")
    return lines[0]
