"""A real Ray cluster of several nodes on this machine: the same bytes, and a node that is lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import torch
from kill import differences
from ray.cluster_utils import Cluster as RayCluster

from benchmarks import engine
from benchmarks.cells import Cell, closure
from benchmarks.engine import Cluster
from benchmarks.expansion import expand
from benchmarks.recipes import Book
from benchmarks.specs import read_table
from benchmarks.work import DataSource, Machine

MACHINE, DATA = Machine("cpu", "fp32", 1), DataSource()
SIZES = (
    "protocol.classifier_floor=0",
    "protocol.network.width=0.0625",
    "protocol.classifier.epochs=1",
    "protocol.classifier.updates_per_epoch=4",
    "protocol.student.epochs=1",
    "protocol.student.updates_per_epoch=4",
    "di.batches=8",
    "di.batch_size=20",
)


def cells(iterations: int) -> list[Cell]:
    """One row of Table 5 with DI: two classifiers, images, a student."""
    book = Book("demo", "digits", [*SIZES, f"di.settings.iterations={iterations}"])
    return expand(read_table("table5"), book, [0], methods=["di"], rows=["vgg11-resnet18"]).targets


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    """A head without room for cells, and two nodes of one core each."""
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    made = RayCluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
    for _ in range(2):
        made.add_node(**node)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(autouse=True)
def _switches() -> Iterator[None]:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.mark.timeout(300)
def test_a_lost_node_costs_its_unfinished_shards_and_no_byte(
    cluster: RayCluster, tmp_path: Path
) -> None:
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    targets = cells(iterations=40)
    engine.run(targets, alone, MACHINE, DATA)
    before: dict[Path, int] = {}

    def lose_a_node() -> None:
        """The one that makes images, once two of their batches are there."""
        while len(shards := list(spread.rglob("batch-*.safetensors"))) < 2:
            time.sleep(0.02)
        busy = [cell for cell in closure(targets) if cell.kind == "synthesis"]
        assert busy
        before.update({path: path.stat().st_mtime_ns for path in shards})
        for node in list(cluster.worker_nodes):
            cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)

    thread = threading.Thread(target=lose_a_node)
    thread.start()
    summary = engine.run(targets, spread, MACHINE, DATA, cluster=Cluster(cluster.address))
    thread.join()
    assert not summary.failed
    assert summary.made + summary.found == len(closure(targets))
    assert len(before) >= 2
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a shard was made again"
    assert list(differences(alone, spread)) == []


def test_without_a_cluster_at_the_address_it_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.cli import main

    monkeypatch.chdir(tmp_path)
    arguments = ["run", "table5", "--methods", "di", "--rows", "vgg11-resnet18"]
    for given, message in (
        (["--engine", "ray", "--gpu-share", "0"], "error: --gpu-share 0: above 0, 1 at most\n"),
        (["--address", "auto"], "error: --address is a Ray cluster's: give --engine ray with it\n"),
        (["--engine", "ray", "--address", "auto"], "error: --engine ray: auto: "),
    ):
        with pytest.raises(SystemExit) as caught:
            main([*arguments, *given])
        assert caught.value.code == 2
        assert message in capfd.readouterr().err
