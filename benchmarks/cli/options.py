"""Options that several commands share, and how they become machine, data and recipes."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import torch
from tyro.conf import UseAppendAction, arg

from benchmarks.cli.console import log
from benchmarks.cli.help_texts import optional
from benchmarks.engine.context import DataOptions, default_root
from benchmarks.engine.executor import RayOptions
from benchmarks.engine.machine import Machine, device_named
from benchmarks.recipes.resolve import NOWHERE, Recipes
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.outside import is_outside
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.precision import Precision, is_emulated

MAX_HOURS = 10_000
RUNS = Path("runs")
RECIPE = arg(name="recipe", metavar="FILE")


@dataclass(frozen=True)
class RecipeOptions:
    """Which recipes: scale, data sets, seeds, and overrides."""

    scale: str = "demo"
    """demo: minutes on two cores; small: hours on two cores, for real CIFAR; mini: a row on one
    GPU, about an hour (estimated); paper: the paper's budget"""
    dataset: Annotated[tuple[str, ...], optional("[DATASET [DATASET ...]]")] = ()
    """digits, cifar10, cifar100 or imagefolder:PATH; by default digits at demo, else the paper's"""
    seeds: int = 1
    """how many seeds; teachers, images and students all change with the seed, but a teacher that
    came ready or from a file stays the same"""
    first_seed: Annotated[int | None, optional("INT")] = None
    """the first of these seeds; by default 0"""
    set: Annotated[tuple[str, ...], arg(metavar="RECIPE.KEY=VALUE"), UseAppendAction] = ()
    """override a recipe value, e.g. di.settings.iterations=50; may be given several times"""
    recipe_files: Annotated[tuple[Path, ...], RECIPE, UseAppendAction] = ()
    """the recipe of a method from outside, in the form of the suite's (docs/adding-a-method.md)"""
    ready: Annotated[str, optional("NAME")] = ""
    """a pretrained teacher (see `ready`); sets width and image size; the default at small"""

    def recipes(
        self,
        published: Sequence[str],
        given: Mapping[str, Path] | None = None,
        data_root: Path = NOWHERE,
    ) -> list[Recipes]:
        """The recipes for each data set; ``published`` are the paper's for a table.

        ``given`` are files of classifiers that are not to be trained, ``data_root`` is where the
        CIFARs lie.
        """
        usual = ("digits",) if self.scale == "demo" else tuple(published)
        names = self.dataset or ((describe(self.ready).dataset,) if self.ready else usual)
        if given and len(names) > 1:
            raise UsageError(f"--weights: for which data set? --dataset {' or '.join(names)}")
        files = self.recipe_files
        return [
            Recipes(self.scale, name, self._overrides(name), given, files, data_root)
            for name in names
        ]

    def _overrides(self, dataset: str) -> tuple[str, ...]:
        """``--set``, and what ``--ready`` changes in the recipes."""
        if not self.ready:
            return self.set
        known = describe(self.ready)
        arch = known.recipe["arch"]
        protocol = Recipes(self.scale, dataset).resolve().protocol
        changed = [
            f"protocol.network.{key}={known.recipe[key]}"
            for key in ("width", "image_size")
            if getattr(protocol.network, key) != known.recipe[key]
        ]
        if protocol.ready.get(arch) != self.ready:
            changed.append(f'protocol.ready.{arch}="{self.ready}"')
        return (*changed, *self.set)

    def seed_list(self) -> list[int]:
        """The first seed and those after it."""
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: one or more")
        first = self.first_seed or 0
        if first < 0:
            raise UsageError(f"--first-seed {first}: 0 or more")
        return list(range(first, first + self.seeds))


@dataclass(frozen=True)
class RunsFolder:
    """Folders."""

    runs_dir: Path = RUNS
    """finished cells; what computes goes on from those that are here"""

    def require_runs(self) -> None:
        """Raises `MissingError` where there is no runs folder to read."""
        if not self.runs_dir.exists():
            raise MissingError(f"--runs-dir {self.runs_dir}: no such folder; run a table first")


@dataclass(frozen=True)
class FolderOptions(RunsFolder):
    """Folders."""

    out_dir: Annotated[Path | None, optional("PATH")] = None
    """where tables, the page and the ledger of claims are written; by default reports/out, and
    `report` in a --runs-dir of another name: each has its own page"""

    def out(self) -> Path:
        """The one asked for, or the default."""
        if self.out_dir is not None:
            return self.out_dir
        is_usual = self.runs_dir.absolute() == RUNS.absolute()
        return Path("reports/out") if is_usual else self.runs_dir / "report"


@dataclass(frozen=True)
class PlanPaths(RunsFolder):
    """What says which cells there are."""

    data_root: Path = field(default_factory=default_root)
    """CIFAR as torchvision lays it out or as ImageFolder trees ($NATURALINVERSION_DATA or data)"""
    weights: Annotated[tuple[str, ...], arg(metavar="ARCH=FILE"), UseAppendAction] = ()
    """a classifier that is not to be trained but read: safetensors or a state dict of torch.save"""

    def given_weights(self) -> dict[str, Path]:
        """Files of classifiers by architecture."""
        found: dict[str, Path] = {}
        for text in self.weights:
            arch, equals, path = text.partition("=")
            if not equals or (arch not in ARCHITECTURES and not is_outside(arch)):
                known = ", ".join(ARCHITECTURES)
                raise UsageError(f"--weights {text}: write ARCH=FILE, ARCH one of {known}")
            if arch in found:
                raise UsageError(f"--weights {text}: {arch} has {found[arch]} already")
            found[arch] = Path(path).resolve()
        for arch, file in found.items():
            if not file.is_file():
                raise MissingError(f"--weights {arch}={file}: no such file")
        return found


@dataclass(frozen=True)
class DataPaths(PlanPaths):
    """Folders and data of cells that are computed."""

    download: bool = False
    """let torchvision fetch CIFAR into the data root, and torch hub the Inception weights"""
    inception_weights: Annotated[Path | None, optional("FILE")] = None
    """torch-fidelity's weights-inception-2015-12-05-6726825d.pth, for metrics at mini and paper; or
    torchvision's inception_v3_google-0cc3c7bd.pth for the extractor inception-v3-torchvision"""

    def data(self) -> DataOptions:
        """Where cells find real images, classifiers and the weights of extractors."""
        given = self.given_weights()
        return DataOptions(self.data_root, self.download, self.inception_weights, given)


@dataclass(frozen=True)
class PathOptions(DataPaths, FolderOptions):
    """Folders and data."""


@dataclass(frozen=True)
class ComputeOptions:
    """Device, precision and threads."""

    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes a GPU if there is one"""
    precision: Precision | Literal["auto"] = "auto"
    """of convolutions and matrix products; auto: fp32 on a CPU, tf32 on a GPU, where fp32 is slow;
    bf16 is the fastest there, and on a CPU with instructions for it; tf32 is a GPU's alone"""
    fast: bool = False
    """on a GPU: let cuDNN time its algorithms and choose; records then say that bytes may differ"""
    threads: int = 0
    """CPU threads of each process; 0: all cores, or $OMP_NUM_THREADS, and 1 each of several
    workers"""

    def check(self) -> None:
        """Raises `UsageError` for options that can't be, alone or together."""
        if self.threads < 0:
            raise UsageError(f"--threads {self.threads}: 0 or more")
        if self.precision == "tf32" and self._device() == "cpu":
            raise UsageError("--precision tf32: a GPU's alone, a CPU computes in fp32 or bf16")

    def machine(self) -> Machine:
        """Device, precision and threads. Raises what `check` does; says once if it will be slow."""
        self.check()
        threads = self.threads or self._threads()
        device, precision = self._device(), self.precision
        if precision == "auto":
            precision = "fp32" if device == "cpu" else "tf32"
        if is_emulated(device, precision):
            _say_slow(precision)
        return Machine(device, precision, threads, self.fast)

    def _threads(self) -> int:
        return min(available_cores(), openmp_threads())

    def _device(self) -> str:
        if self.device != "auto":
            return str(device_named(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def _say_slow(precision: str) -> None:
    """Once a process."""
    log(
        f"--precision {precision}: this processor has no vector instructions for it, "
        "and takes tens of times as long as in fp32"
    )


@cache
def _say_no_gpu() -> None:
    """Once a process."""
    log(
        "--engine ray: cells are computed on CPUs, as this machine has no GPU; --device cuda takes "
        "those of the cluster"
    )


@dataclass(frozen=True)
class WorkerOptions(ComputeOptions):
    """Device, precision, threads and processes."""

    workers: int = 0
    """cells at a time, each in a process of its own; 0: one per core on a CPU, one on a GPU"""

    def check(self) -> None:
        if self.workers < 0:
            raise UsageError(f"--workers {self.workers}: 0 or more")
        super().check()

    def worker_count(self) -> int:
        """How many cells at a time."""
        if self.workers:
            return self.workers
        return 1 if self._device() != "cpu" else available_cores()

    def _threads(self) -> int:
        return super()._threads() if self.worker_count() == 1 else 1


@dataclass(frozen=True)
class TimeLimit:
    """When to stop."""

    max_hours: float = 0.0
    """stop after so long, keeping every finished cell and shard (exit code 75); 0: no limit"""

    def hours(self) -> float:
        """After how many hours to stop; 0 for never."""
        if not 0 <= self.max_hours < MAX_HOURS:
            raise UsageError(f"--max-hours {self.max_hours:g}: 0 or more, under {MAX_HOURS}")
        return self.max_hours


@dataclass(frozen=True)
class RunOptions(TimeLimit, WorkerOptions):
    """Where and how long cells are computed."""

    engine: Literal["local", "ray"] = "local"
    """where cells are computed: processes of this machine, or the nodes of a Ray cluster"""
    address: Annotated[str, optional("ADDRESS")] = ""
    """of the Ray cluster, e.g. auto or ray://host:10001; by default one is started here"""
    gpu_share: float = 1.0
    """of a GPU that one cell takes on a Ray cluster; 0.5 lets two cells share one"""
    yes: bool = False
    """start a run at scale paper, which otherwise only prints its plan"""

    def check(self) -> None:
        self.hours()
        self.ray_options()
        super().check()

    def ray_options(self) -> RayOptions | None:
        """The Ray cluster asked for, if any."""
        if self.engine == "local":
            for option, given in (("address", self.address), ("gpu-share", self.gpu_share != 1)):
                if given:
                    raise UsageError(f"--{option} is a Ray cluster's: give --engine ray with it")
            return None
        if self.workers:
            raise UsageError("--workers: a Ray cluster has as many as fit, by --threads and GPUs")
        if not 0 < self.gpu_share <= 1:
            raise UsageError(f"--gpu-share {self.gpu_share:g}: above 0, 1 at most")
        return RayOptions(self.address, self.gpu_share)

    def machine(self) -> Machine:
        found = super().machine()
        if self.engine == "ray" and self.device == "auto" and found.device == "cpu":
            _say_no_gpu()
        return found

    def _threads(self) -> int:
        return super()._threads() if self.engine == "local" else 1


def openmp_threads() -> int:
    """``$OMP_NUM_THREADS``, else any number.

    PyTorch that was started with one OpenMP thread and is told to use more has crashed in backward
    passes ("double free or corruption").
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else sys.maxsize


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
