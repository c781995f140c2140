"""What is said of a cluster's nodes and tasks; a fake Ray stands for the cluster."""

import os
import sys
from types import ModuleType
from typing import Any

import pytest
from ray import exceptions

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import CellFailedError
from benchmarks.engine.machine import Machine
from benchmarks.engine.ray_workers import RayWorkers
from naturalinversion.errors import UsageError
from tests.processes import ROOT

MACHINE = Machine("cpu")


class FakeRay(ModuleType):
    """A cluster of ``sizes``, (CPU, GPU) by node; ``get`` raises ``ended``."""

    exceptions = exceptions

    def __init__(self) -> None:
        super().__init__("ray")
        self.sizes, self.up, self.ended = [(2, 0)], True, Exception()
        self.begun: dict[str, Any] = {}
        self.asked: dict[str, float] = {}

    def init(self, **options: Any) -> None:
        self.begun = options

    def shutdown(self) -> None:
        self.up = False

    def nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 1000, "GPU": 1000}}
        sizes = [{"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus} for cpus, gpus in self.sizes]
        return [dead, *({"Alive": True, "Resources": size} for size in sizes)]

    def remote(self, function: object) -> "FakeRay":
        return self

    def options(self, num_cpus: float, num_gpus: float, **_: Any) -> None:
        self.asked = {"CPU": num_cpus, "GPU": num_gpus}

    def get(self, task: object) -> None:
        raise self.ended


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
        workers().result("task", Cell("toy", "seed 0", {}))
    assert str(caught.value) == message
