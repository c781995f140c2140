"""Options about recipes and folders that several commands share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from benchmarks.cli.help_texts import optional
from benchmarks.engine.context import DataOptions, default_root
from benchmarks.recipes.resolve import NOWHERE, Recipes
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.outside import is_outside
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import MissingError, UsageError

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
