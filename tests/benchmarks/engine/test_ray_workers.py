"""A real Ray cluster of several nodes on this machine: the same bytes, and a node that is lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import ray
from kill import differences
from ray.cluster_utils import Cluster as RayCluster

from benchmarks.engine import executor
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.context import DataOptions
from benchmarks.engine.executor import RayOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import read_table

MACHINE, DATA = Machine("cpu", "fp32", 1), DataOptions()
SIZES = (
    "protocol.classifier_floor=0",
    "protocol.network.width=0.0625",
    "protocol.classifier.epochs=1",
    "protocol.classifier.updates_per_epoch=2",
    "protocol.student.epochs=1",
    "protocol.student.updates_per_epoch=2",
    "di.batches=5",
    "di.batch_size=10",
)


def cells(iterations: int) -> list[Cell]:
    """One row of Table 5 with DI: two classifiers, images, a student."""
    recipes = Recipes("demo", "digits", [*SIZES, f"di.settings.iterations={iterations}"])
    spec = read_table("table5")
    return expand(spec, recipes, [0], methods=["di"], rows=["vgg11-resnet18"]).targets


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    """A head without room for cells, and a node of one core."""
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_log_monitor": False}
    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
    bare = {"include_dashboard": False, "no_monitor": True}
    head = {**node, **bare, "num_cpus": 0, "_system_config": quick}
    made = RayCluster(initialize_head=True, head_node_args=head)
    made.add_node(**node)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.timeout(600)
def test_a_lost_node_costs_its_unfinished_shards_and_no_byte(
    cluster: RayCluster, tmp_path: Path
) -> None:
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    targets = cells(iterations=30)
    executor.run(targets, KINDS, alone, MACHINE, DATA)
    with ThreadPoolExecutor(1) as other:  # nodes can only be begun in the main thread
        running = other.submit(
            executor.run,
            targets,
            KINDS,
            spread,
            MACHINE,
            DATA,
            ray_options=RayOptions(cluster.address),
        )
        while len(shards := list(spread.rglob("batch-*.safetensors"))) < 2:
            assert not running.done()
            time.sleep(0.02)
        before = {path: path.stat().st_mtime_ns for path in shards}
        (node,) = cluster.worker_nodes
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        summary = running.result()
    assert not summary.failed
    assert summary.computed + summary.cached == len(with_inputs(targets))
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a shard was made again"
    assert list(differences(alone, spread)) == []


def test_without_a_cluster_at_the_address_it_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.cli.main import main

    monkeypatch.chdir(tmp_path)
    arguments = ["run", "table5", "--methods", "di", "--rows", "vgg11-resnet18"]
    for given, message in (
        (["--engine", "ray", "--gpu-share", "0"], "error: --gpu-share 0: above 0, 1 at most\n"),
        (
            ["--engine", "ray", "--gpu-share", "0.5", "--device", "cpu"],
            "error: --gpu-share: cells are computed on CPUs here, see --device cuda\n",
        ),
        (["--address", "auto"], "error: --address is a Ray cluster's: give --engine ray with it\n"),
        (["--gpu-share", "0.5"], "error: --gpu-share is a Ray cluster's: give --engine ray with"),
        (["--engine", "ray", "--workers", "2"], "error: --workers: a Ray cluster has as many as"),
        (["--engine", "ray", "--address", "auto"], "error: --engine ray: auto: "),
    ):
        with pytest.raises(SystemExit) as caught:
            main([*arguments, *given])
        assert caught.value.code == 2
        assert message in capfd.readouterr().err
