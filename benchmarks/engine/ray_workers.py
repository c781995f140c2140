"""Cells on a Ray cluster: ``--engine ray``. Every node sees the same folders and the same code.

A cell is one task, with its threads and its share of a GPU. Results go into the shared ``runs/``,
nothing through Ray. When a node is lost its tasks are started again on another one and go on from
the shards that were finished.
"""

import logging
import os
import platform
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import KNOWN_ERRORS, CellFailedError
from benchmarks.engine.digests import code_digest
from benchmarks.engine.kept_warnings import kept_warnings
from benchmarks.engine.machine import Machine
from benchmarks.engine.workers import Compute, Finished, Task, timed
from naturalinversion.errors import UsageError, reason_of

RETRIES = 10  # of a cell whose node or process was lost
POLL_SECONDS = 1.0  # so that signals are answered in between
NOT_IMPORTED = "The remote function failed to import"  # Ray's words where a checkout lacks it


class Answer(NamedTuple):
    """What a task sends back: nobody sees the stderr of the node."""

    finished: Finished
    warnings: list[str]


def timed_by_same_code(expected: str, compute: Compute, cell: Cell) -> Answer:
    """`timed` on a node whose code is that of the command, ``expected`` by `code_digest`; with the
    lines in which the cell warned.

    Raises `UsageError` on any other: its numbers would count as those of the command's code.
    """
    if (found := code_digest()) != expected:
        raise UsageError(
            f"--engine ray: the code on node {platform.node()} is {found}, not {expected} as the "
            "command's: every node needs the same checkout"
        )
    with kept_warnings(cell.label) as lines:
        finished = timed(compute, cell)
    return Answer(finished, lines)


class RayWorkers:
    """The nodes of the cluster at ``address``, or of one started here when that is empty.

    Raises `UsageError` when Ray is not installed or does not answer, and when a cluster that is
    started here has no room for a cell. One at an address may get larger nodes later, so there a
    line says what is waited for.
    """

    def __init__(self, compute: Compute, machine: Machine, address: str, gpu_share: float) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("--engine ray needs the extra [ray]: pip install '.[ray]'") from error
        if machine.device.startswith("cuda:"):
            raise UsageError(
                f"--engine ray --device {machine.device}: --device cuda, Ray chooses which"
            )
        self.ray, self.compute, self.code = ray, compute, code_digest()
        self.said: set[str] = set()
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        try:
            ray.init(
                address=address or "local",
                runtime_env={"env_vars": {"PYTHONPATH": path}},
                log_to_driver=False,
                include_dashboard=False if not address else None,
                logging_level=logging.ERROR,
            )
        except Exception as error:
            raise UsageError(
                f"--engine ray: {address or 'a local cluster'}: {reason_of(error)}"
            ) from error
        gpus = gpu_share if machine.device.startswith("cuda") else 0.0
        self._find_room(machine.threads, gpus, may_grow=bool(address))
        self.task = ray.remote(timed_by_same_code).options(
            num_cpus=machine.threads,
            num_gpus=gpus,
            max_retries=RETRIES,
            retry_exceptions=False,
        )

    def _find_room(self, cpus: int, gpus: float, *, may_grow: bool) -> None:
        """Refuse cells that no node has room for, or say that they wait for a larger node."""
        known = self.ray.nodes()  # type: ignore[no-untyped-call]
        found = [node["Resources"] for node in known if node["Alive"]]
        nodes = [(node.get("CPU", 0), node.get("GPU", 0)) for node in found]
        if any(has_cpus >= cpus and has_gpus >= gpus for has_cpus, has_gpus in nodes):
            return
        largest = max(nodes, key=lambda node: (min(node[1], gpus), node[0]), default=(0, 0))
        asked, there = _size(cpus, gpus), f"the largest has {_size(*largest)}"
        if not may_grow:
            self.ray.shutdown()
            raise UsageError(
                f"--engine ray: no node has {asked}, which a cell takes; {there}: "
                "see --threads, --device and --gpu-share"
            )
        tqdm.write(f"waiting for a node with {asked}; {there} now", file=sys.stderr)

    def has_room(self, running: int) -> bool:
        """Ray queues what no node has room for."""
        return True

    def submit(self, cell: Cell) -> Task:
        return self.task.remote(self.code, self.compute, cell)

    def wait(self, tasks: Collection[Task], seconds: float | None = None) -> Iterator[Task]:
        poll, ended = seconds or POLL_SECONDS, list[Any]()
        while not ended:
            ended, _ = self.ray.wait(list(tasks), num_returns=1, timeout=poll)
            if seconds is not None:
                break
        return iter(ended)

    def result(self, task: Task, cell: Cell) -> Finished:
        try:
            done: Any = self.ray.get(task)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, KNOWN_ERRORS):
                raise error.cause from error
            if NOT_IMPORTED in str(error.cause):
                raise UsageError(
                    "--engine ray: a node can't import the command's code: every node needs the "
                    "same checkout and environment"
                ) from error
            raise
        except self.ray.exceptions.RayError as error:
            raise CellFailedError(
                f"{cell.label}: {self._why_lost(error)}; the same command goes on"
            ) from error
        answer = Answer(*done)
        for line in answer.warnings:
            self._warn(line)
        return Finished(*answer.finished)

    def _warn(self, line: str) -> None:
        """On this machine's stderr, once: each process of a cluster warns of the data it reads."""
        if line not in self.said:
            self.said.add(line)
            tqdm.write(line, file=sys.stderr)

    def _why_lost(self, error: Exception) -> str:
        known, reason = self.ray.exceptions, reason_of(error)
        if isinstance(error, known.RuntimeEnvSetupError):  # what failed is in the second line
            reason = " ".join(str(error).splitlines()[:2])
        reason = reason.rstrip(".")
        if isinstance(error, (known.NodeDiedError, known.WorkerCrashedError)):
            return f"lost with its node or process {RETRIES + 1} times: {reason}"
        return reason

    def close(self, tasks: Collection[Task]) -> None:
        for task in tasks:
            self.ray.cancel(task, force=True)
        self.ray.shutdown()


def _size(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU and {gpus:g} GPU"
