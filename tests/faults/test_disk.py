"""A disk that is full in the middle of a write, and folders that can't be written to."""

import ctypes
import os
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import kill
import pytest

from benchmarks.cli.main import main
from tests.benchmarks.command_line import here

REASON = re.compile("vgg11.*(No space left on device|File too large)")
VERSION = 0x20080522  # of Linux's capabilities
OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root may write anywhere


def run(folder: Path) -> int:
    """The small run of `kill` in this process: its exit code."""
    try:
        main(kill.arguments(folder, workers=1))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


class SmallDisk:
    """A tmpfs; where nothing may be mounted, files that may not grow beyond a part of its size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.mounted = self._mount("size=64k")

    def _mount(self, options: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return os.geteuid() == 0 and not subprocess.run(words, capture_output=True).returncode

    def resize(self, size: int) -> None:
        """From now on it holds ``size`` bytes."""
        if self.mounted:
            assert self._mount(f"remount,size={size}")
        else:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4, most))

    def close(self) -> None:
        """What it held is gone."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        else:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """One that is full soon."""
    made = SmallDisk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run with room."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder) == 0
    return folder


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    undisturbed: Path, disk: SmallDisk, capfd: pytest.CaptureFixture[str]
) -> None:
    place = disk.folder / "place"
    for size in (150_000, 400_000, 700_000, 1_400_000):
        disk.resize(size)
        assert run(place) == 1
        said = capfd.readouterr().err
        assert [line for line in said.splitlines() if REASON.search(line)], said
        assert "Traceback" not in said
        assert not list(place.rglob(".*.tmp"))
    disk.resize(64_000_000)
    assert run(place) == 0
    assert list(kill.differences(undisturbed / "runs", place / "runs")) == []
    assert not kill.left_over(place)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write into ``folder`` and what it holds."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    try:
        for path in modes:
            path.chmod(0o555 if path.is_dir() else 0o444)
        with no_overriding() if os.geteuid() == 0 else nullcontext():
            yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def no_overriding() -> Iterator[None]:
    """Modes of files hold for this thread of root's, on Linux."""
    libc = ctypes.CDLL(None)
    header, sets = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert not libc.capget(header, sets)
    before = sets[0]  # those in effect
    sets[0] &= ~OVERRIDES
    assert not libc.capset(header, sets)
    try:
        yield
    finally:
        sets[0] = before
        assert not libc.capset(header, sets)


def test_a_read_only_folder_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    with read_only(tmp_path / "runs"):
        code, _, err = here(capfd, *kill.arguments(tmp_path, workers=1))
    assert code == 1
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if "Permission denied" in line]


def test_records_in_a_read_only_folder_can_be_read(
    undisturbed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = undisturbed / "runs"
    with read_only(runs):
        with pytest.raises(PermissionError):
            (runs / "new").touch()
        code, _, err = here(
            capfd, "report", "--runs-dir", str(runs), "--out-dir", str(tmp_path / "out")
        )
    assert code == 0, err
    assert (tmp_path / "out" / "report.html").is_file()
