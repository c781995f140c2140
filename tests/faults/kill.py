"""Kill a run at random moments, begin it again each time, and hold what comes of it against a run
that nobody disturbed.

``make test-faults`` is the long version, the tests run a short one. Exit code 1, with a line per
difference, when the two runs are not the same.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORD = "record.json"
SIZES = (
    "protocol.classifier_floor=0",
    "protocol.network.width=0.0625",
    *(f"protocol.{who}.epochs=2" for who in ("classifier", "student")),
    *(f"protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student")),
    *(f"protocol.{who}.batch_size=32" for who in ("classifier", "student")),
    "di.settings.iterations=4",
    "di.batches=4",
    "di.batch_size=20",
    "dafl.settings.epochs=3",
    "dafl.settings.steps=2",
    "dafl.settings.batch_size=32",
    "dafl.settings.latent=8",
    "dafl.batches=2",
    "dafl.batch_size=20",
)


@dataclass
class Killing:
    """What became of a run that was killed again and again."""

    kills: int = 0
    finished: int = 0
    faults: list[str] = field(default_factory=list)


# Processes begun from one that has imported torch: most moments are then in the run itself.
CONTEXT = multiprocessing.get_context("forkserver")
PRELOAD = ["benchmarks.cli.main", "benchmarks.synthesis.generate_images", "torch._dynamo"]
PRELOAD += ["benchmarks.datasets.digits", "torchvision.transforms.v2.functional"]
PRELOAD += ["benchmarks.training.fit", "reports.report"]
CONTEXT.set_forkserver_preload(PRELOAD)


def arguments(folder: Path, workers: int) -> list[str]:
    """A small Table 5: one row, an offline and a joint method."""
    words = ["run", "table5", "--methods", "di", "dafl"]
    words += ["--rows", "vgg11-resnet18", "--device", "cpu", "--threads", "1"]
    words += ["--workers", str(workers), "--runs-dir", str(folder / "runs")]
    words += ["--out-dir", str(folder / "out")]
    return words + [word for size in SIZES for word in ("--set", size)]


def start_server() -> None:
    """The process that the others are begun from; it takes as long as importing torch."""
    first = CONTEXT.Process(target=int)
    first.start()
    first.join()


def start(folder: Path, workers: int) -> BaseProcess:
    """The run, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    process = CONTEXT.Process(target=_run, args=(folder, workers))
    process.start()
    return process


def _run(folder: Path, workers: int) -> None:
    os.setsid()
    said = os.open(folder / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    from benchmarks.cli.main import main

    main(arguments(folder, workers))


def kill(process: BaseProcess) -> None:
    """SIGKILL for the run and its workers."""
    assert process.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def ended(process: BaseProcess) -> int:
    """Wait for its exit code."""
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def kill_often(folder: Path, kills: int, seed: int, workers: int = 1) -> Killing:
    """Run what `command` says; kill it at ``kills`` moments; compare with an undisturbed run.

    A run that ends before its moment is compared and begun anew from nothing.
    """
    whole = folder / "undisturbed"
    start_server()
    started = time.monotonic()
    if code := ended(start(whole, workers)):
        return Killing(faults=[f"the undisturbed run ended with exit code {code}"])
    length = time.monotonic() - started
    moments = random.Random(seed)
    found = Killing()
    killed = folder / "killed"
    recorded: dict[str, int] = {}
    while found.kills < kills:
        process = start(killed, workers)
        process.join(moments.uniform(0.05, 0.95) * length)
        if process.exitcode is None:
            kill(process)
            found.kills += 1
            age_drafts(killed)
            recorded = _still(found, killed, recorded)
        else:
            _finish(found, process.exitcode, whole, killed, recorded)
            recorded = {}
    _finish(found, ended(start(killed, workers)), whole, killed, recorded)
    return found


def _finish(found: Killing, code: int, whole: Path, killed: Path, recorded: dict[str, int]) -> None:
    if code:
        found.faults.append(f"after {found.kills} kills the run ended with exit code {code}")
    _still(found, killed, recorded)
    found.faults += differences(whole / "runs", killed / "runs")
    found.faults += [f"left over: {path}" for path in left_over(killed)]
    found.finished += 1
    shutil.rmtree(killed)


def _still(found: Killing, killed: Path, recorded: dict[str, int]) -> dict[str, int]:
    """The records there are; one that was there before must not have been written again."""
    now = {str(path.relative_to(killed)): path.stat().st_mtime_ns for path in killed.rglob(RECORD)}
    for name, written in recorded.items():
        if now.get(name) != written:
            found.faults.append(f"{name} was recorded and made again")
    return now


def differences(one: Path, other: Path) -> Iterator[str]:
    """Every artefact that is not the same, byte by byte, and every metric."""
    cells = [
        {path.parent.relative_to(runs) for path in runs.rglob(RECORD)} for runs in (one, other)
    ]
    for cell in sorted(cells[0] ^ cells[1]):
        yield f"{cell} is in one run only"
    for cell in sorted(cells[0] & cells[1]):
        records = [json.loads((runs / cell / RECORD).read_text()) for runs in (one, other)]
        if records[0]["metrics"] != records[1]["metrics"]:
            yield f"{cell}: other metrics"
        names = [set(record["artefacts"]) for record in records]
        for name in sorted(names[0] ^ names[1]):
            yield f"{cell}/{name} is in one run only"
        for name in sorted(names[0] & names[1]):
            if (one / cell / name).read_bytes() != (other / cell / name).read_bytes():
                yield f"{cell}/{name} has other bytes"


def age_drafts(folder: Path) -> None:
    """As if the next attempt began the day after: a draft of just now may be a live writer's."""
    for draft in folder.rglob(".*.tmp"):
        os.utime(draft, (0, 0))


def left_over(folder: Path) -> list[Path]:
    """Drafts and checkpoints: what only an unfinished run may hold."""
    return [*folder.rglob(".*.tmp"), *(folder / "runs").rglob("*.pt")]


def main(words: Sequence[str] | None = None) -> int:
    """Kill, compare, say what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(Path(folder), given.kills, given.seed, given.workers)
    for fault in found.faults:
        print(fault)
    print(
        f"{found.kills} kills, {found.finished} runs finished, "
        f"{len(found.faults) or 'no'} differences to the undisturbed run"
    )
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
