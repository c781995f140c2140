"""What is said of a cluster's nodes and tasks; a fake Ray stands for the cluster."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ray import exceptions
from tqdm import tqdm

from benchmarks.engine import executor, ray_workers
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import CellFailedError, CellStatus
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.executor import RayOptions
from benchmarks.engine.machine import Machine
from benchmarks.engine.ray_workers import RayWorkers
from naturalinversion.errors import TeacherWarning, UsageError
from naturalinversion.progress import bar
from tests.benchmarks.engine.toy_cells import KINDS, Toys, cell, make
from tests.processes import ROOT

MACHINE, CELL = Machine("cpu"), Cell("toy", "seed 0", {})


class FakeRay(ModuleType):
    """A cluster of ``sizes``, (CPU, GPU) by node; ``get`` raises ``ended``.

    Tasks run in this process, in the working directory ``folder``.
    """

    exceptions = exceptions

    def __init__(self) -> None:
        super().__init__("ray")
        self.sizes, self.up = [(2, 0)], True
        self.ended: Exception | None = None
        self.begun: dict[str, Any] = {}
        self.asked: dict[str, float] = {}
        self.answers: list[object] = []
        self.folder = Path()

    def init(self, **options: Any) -> None:
        self.begun = options

    def shutdown(self) -> None:
        self.up = False

    def nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 1000, "GPU": 1000}}
        sizes = [{"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus} for cpus, gpus in self.sizes]
        return [dead, *({"Alive": True, "Resources": size} for size in sizes)]

    def remote(self, function: Callable[..., object]) -> "FakeTask":
        return FakeTask(self, function)

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list[int], object]:
        return tasks, []

    def get(self, task: int) -> object:
        if self.ended is not None:
            raise self.ended
        return self.answers[task]


@dataclass
class FakeTask:
    cluster: FakeRay
    function: Callable[..., object]

    def options(self, num_cpus: float, num_gpus: float, **_: object) -> "FakeTask":
        self.cluster.asked = {"CPU": num_cpus, "GPU": num_gpus}
        return self

    def remote(self, *given: object) -> int:
        answer = None
        try:
            with chdir(self.cluster.folder):
                answer = self.function(*given)
        except Exception as error:
            failed = exceptions.RayTaskError("task", "", error, "title", 1, "here")
            self.cluster.ended = failed.as_instanceof_cause()
        self.cluster.answers.append(answer)
        return len(self.cluster.answers) - 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    found = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", found)
    return found


def workers(machine: Machine = MACHINE, address: str = "", share: float = 1.0) -> RayWorkers:
    return RayWorkers(lambda cell: "computed", machine, address, share)


def test_workers_find_what_lies_on_the_path(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "packages")
    workers()
    path = fake.begun["runtime_env"]["env_vars"]["PYTHONPATH"]
    assert path.split(os.pathsep) == [str(ROOT), "packages"]


def test_which_gpu_is_for_the_cluster_to_say() -> None:
    with pytest.raises(UsageError, match="--device cuda:1: --device cuda, Ray chooses which"):
        workers(Machine("cuda:1"), "auto")


def test_a_local_cluster_without_room_for_a_cell_is_refused(fake: FakeRay) -> None:
    with pytest.raises(UsageError) as caught:
        workers(Machine("cpu", threads=999))
    assert "no node has 999 CPU and 0 GPU, which a cell takes" in str(caught.value)
    assert "the largest has 2 CPU and 0 GPU: see --threads" in str(caught.value)
    assert not fake.up, "the cluster that was started here goes on"


@pytest.mark.parametrize(
    ("sizes", "largest"),
    [
        ([(16, 0), (1, 4)], "1 CPU and 4 GPU"),
        ([(8, 0), (16, 0)], "16 CPU and 0 GPU"),
        ([], "0 CPU"),
    ],
)
def test_a_cluster_at_an_address_may_get_a_larger_node(
    sizes: list[tuple[int, int]],
    largest: str,
    fake: FakeRay,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.sizes = sizes
    workers(Machine("cuda", threads=4), "auto", 0.5)
    said = capsys.readouterr().err
    assert said.startswith("waiting for a node with 4 CPU and 0.5 GPU; the largest has " + largest)
    assert (fake.up, fake.asked) == (True, {"CPU": 4, "GPU": 0.5})


@pytest.mark.parametrize("address", ["", "auto"])
def test_nothing_is_said_where_a_node_has_room(
    address: str, fake: FakeRay, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.sizes = [(16, 0), (4, 1)]
    workers(Machine("cuda", threads=4), address, 0.5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            exceptions.OutOfMemoryError("Killed: the node runs low on memory.\nMemory on the node"),
            "seed 0: Killed: the node runs low on memory; the same command goes on",
        ),
        (
            exceptions.TaskUnschedulableError("its node is gone"),
            "seed 0: The task is not schedulable: its node is gone; the same command goes on",
        ),
        (
            exceptions.RuntimeEnvSetupError("no space left\nTraceback"),
            "seed 0: Failed to set up runtime environment. no space left; the same command goes on",
        ),
        (
            exceptions.NodeDiedError("node 4 is unreachable"),
            "seed 0: lost with its node or process 11 times: node 4 is unreachable; the same "
            "command goes on",
        ),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_task_that_ray_gave_up_says_why(error: Exception, message: str, fake: FakeRay) -> None:
    fake.ended = error
    with pytest.raises(CellFailedError) as caught:
        workers().result("task", CELL)
    assert str(caught.value) == message


def test_a_node_with_other_code_computes_nothing(
    fake: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Cell] = []

    def compute(cell: Cell) -> CellStatus:
        computed.append(cell)
        return "computed"

    made = RayWorkers(compute, MACHINE, "", 1.0)
    assert made.result(made.submit(CELL), CELL).status == "computed"
    monkeypatch.setattr(ray_workers, "code_digest", lambda: "0123456789ab")
    task = made.submit(CELL)
    with pytest.raises(UsageError, match=f"the code on node .* is 0123456789ab, not {made.code} "):
        made.result(task, CELL)
    assert computed == [CELL]


def test_a_node_without_the_code_is_one_line(fake: FakeRay) -> None:
    cause = RuntimeError("The remote function failed to import on the worker. This may be because")
    failed = exceptions.RayTaskError("task", "", cause, "title", 1, "here")
    fake.ended = failed.as_instanceof_cause()
    with pytest.raises(UsageError, match="a node can't import the command's code: every node"):
        workers().result("task", CELL)


@pytest.mark.parametrize("root", ["~/data", "data"])
def test_a_task_elsewhere_finds_what_was_named_relative_to_the_command(
    root: str, fake: FakeRay, toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of one's own, `imagefolder:own`, are sought from the working directory."""
    command, fake.folder = tmp_path / "command", tmp_path / "elsewhere"
    for folder in (command / "own", command / "data", fake.folder):
        folder.mkdir(parents=True)
    monkeypatch.chdir(command)
    monkeypatch.setenv("HOME", str(command))
    found = list[bool]()

    def look(context: CellContext) -> None:
        monkeypatch.setenv("HOME", str(fake.folder))
        found.extend((Path("own").is_dir(), context.data.root == command / "data"))

    toys.behaviour["root"] = look
    run = partial(executor.run, [cell("root")], KINDS, Path("runs"), MACHINE)
    summary = run(DataOptions(Path(root)), ray_options=RayOptions())
    assert (summary.computed, found) == (1, [True, True])
    assert (command / "runs" / "toy").is_dir()


def test_a_data_root_in_the_home_of_nobody_is_one_line(fake: FakeRay, tmp_path: Path) -> None:
    data = DataOptions(Path("~nobody-of-this-name/data"))
    with pytest.raises(UsageError, match=r"^--data-root ~nobody-of-this-name/data: nobody has th"):
        executor.run([cell("root")], KINDS, tmp_path, MACHINE, data, ray_options=RayOptions())


def test_what_a_cell_warns_of_on_a_node_is_said_where_the_command_was_given(
    fake: FakeRay, toys: Toys, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ray keeps the stderr of its nodes to itself."""

    def warn(context: CellContext) -> None:
        with bar(2, "a bar", always=True) as progress:
            progress(1)
            tqdm.write("warning: half of the data", file=sys.stderr)
            tqdm.write("beside it", file=sys.stderr)
        warnings.warn("far from their classes", TeacherWarning, stacklevel=1)

    toys.behaviour = {"one": warn, "two": warn}
    made = RayWorkers(partial(make, runs=tmp_path), MACHINE, "", 1.0)
    tasks = [(made.submit(one), one) for one in (cell("one"), cell("two", 2))]
    assert "warning: half of the data\n" in capfd.readouterr().err, "the node's own has it, too"
    for task, one in tasks:
        assert made.result(task, one).status == "computed"
    assert capfd.readouterr().err.splitlines() == [
        "warning: half of the data",
        "warning: one: far from their classes",
        "warning: two: far from their classes",
    ]
