"""What is installed: the wheel's files and requirements, and the library without the harness's."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from tests.bare_machine import LIGHT, modules_without, run_each
from tests.benchmarks.command_line import one_line
from tests.processes import ROOT

PACKAGES = ("naturalinversion", "baselines", "benchmarks", "reports")
BUILD = "import setuptools.build_meta, sys; setuptools.build_meta.build_wheel(sys.argv[1])"
INVERT = """
import sys
import baselines
from naturalinversion import NaturalInversion, Teacher, synthesize

assert __import__("naturalinversion").__file__.startswith(sys.argv[1])
method = NaturalInversion(iterations=2, latent=8, generator_width=0.1)
images = synthesize(method, Teacher.ready("cifar10-vgg11"), "images", batches=1, batch_size=10)
images.export("png", "denormalize")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of the sources by the setuptools that is here; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "out", "results")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-c", BUILD, "dist"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder that holds the wheel's files alone, with their metadata."""
    folder = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_its_top_level_is_four_packages(installed: Path) -> None:
    found = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert found == set(PACKAGES), "a folder called tests would hide a user's own"


def test_it_holds_every_file_that_the_packages_read(installed: Path) -> None:
    """And their types: py.typed."""
    for package in PACKAGES:
        assert (installed / package / "py.typed").is_file()
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    read = (".py", ".toml", ".json", ".safetensors", ".j2", ".css", ".js", ".csv")
    unused = ("benchmarks/perf/results/", "reports/results/")  # kept measurements, of the checkout
    for name in tracked:
        if name.endswith(read) and not name.startswith(unused):
            assert (installed / name).is_file(), name


def test_what_it_requires_is_light_and_the_rest_are_extras(installed: Path) -> None:
    (info,) = installed.glob("*.dist-info")
    about = message_from_string((info / "METADATA").read_text())
    plain: set[str] = set()
    extras: dict[str, set[str]] = {}
    for line in about.get_all("Requires-Dist", []):
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", line)
        where = extras.setdefault(extra[1], set()) if extra else plain
        where.add(re.split(r"[^\w.-]", line)[0])
    assert plain == LIGHT
    assert {"tyro", "pandas", "torchvision", "torch-fidelity", "jinja2"} <= extras["benchmarks"]
    assert set(extras) == {"benchmarks", "ray", "test", "dev"}
    for name in ("ray", "test", "dev"):
        assert "naturalinversion" in extras[name], "each brings the harness"
    entries = (info / "entry_points.txt").read_text()
    assert "naturalinversion = benchmarks.__main__:main" in entries


def test_the_library_works_with_no_more_than_it_requires(installed: Path, tmp_path: Path) -> None:
    absent = modules_without(LIGHT)
    assert {"tyro", "pandas", "torchvision", "scipy", "sklearn", "matplotlib", "ray"} <= absent
    (tmp_path / "invert.py").write_text(INVERT)
    command = ("invert", str(installed))
    (done,) = run_each([command], without=absent, cwd=tmp_path, root=installed)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("png/*/*.png"))) == 10


def test_the_harness_without_its_extra_is_one_line(installed: Path, tmp_path: Path) -> None:
    absent = modules_without(LIGHT)
    commands = [("benchmarks", "--help"), ("benchmarks", "run", "table5")]
    for done in run_each(commands, without=absent, cwd=tmp_path, root=installed):
        assert (done.returncode, done.stdout) == (3, "")
        line = one_line(done.stderr)
        assert "is not installed (nor " in line
        assert "the extra [benchmarks] brings it" in line
        assert "ray" not in line.split("(nor ")[1].split(")")[0], "another extra's"
    assert list(tmp_path.iterdir()) == []


def test_the_console_script_calls_itself_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/naturalinversion", "--help"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert capfd.readouterr().out.startswith("usage: naturalinversion ")


def test_what_is_cited_is_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"version = {{{version}}}" in (ROOT / "README.md").read_text()
    assert f"## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()
