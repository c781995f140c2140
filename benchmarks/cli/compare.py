"""``compare``: methods side by side on one teacher and one student."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec
from tyro.conf import Positional, arg

from benchmarks.cli.cell_plan import print_plan
from benchmarks.cli.compared_networks import ComparedNetworks, compared_networks
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.help_texts import optional
from benchmarks.cli.options import PathOptions, RecipeOptions
from benchmarks.cli.table_options import run_and_report
from benchmarks.cli.unused_options import reject_unused
from benchmarks.tables.display_names import display_name
from benchmarks.tables.expand import PlannedTable, cells_of, expand
from benchmarks.tables.spec import RowSpec, read_table
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import MissingError, UsageError


@dataclass(frozen=True)
class Compare:
    """Run some methods on one teacher and report them side by side."""

    methods: Annotated[Positional[tuple[str, ...]], optional("[METHOD [METHOD ...]]")]
    """dafl dfad di adi ni ni_adi cmi fast noise, a variant of a recipe (di-paper), or
    package.module:Class"""
    teacher: Annotated[str, optional("NETWORK")] = ""
    """an architecture, or package.module:factory, a function that returns your network (this runs
    its code); by default resnet34, or that of --ready"""
    teacher_weights: Annotated[Path | None, optional("FILE")] = None
    """of the teacher, which is then not trained: safetensors or a state dict of torch.save; a
    factory may load its weights itself"""
    student: Annotated[str, arg(metavar="NETWORK")] = "resnet18"
    """an architecture or package.module:factory, of a network that starts from random weights"""
    recipe: RecipeOptions = field(default_factory=RecipeOptions)
    paths: PathOptions = field(default_factory=PathOptions)
    execution: RunOptions = field(default_factory=RunOptions)
    json: bool = False
    """print the result as JSON; failed and blocked cells by label-key, the name of their folder"""
    plan: bool = False
    """print what it would run and how long that takes on this machine; nothing is run"""
    timing: bool = True
    """with --plan: time a few steps of every kind on this machine, which takes a minute or more"""

    def run(self) -> int:
        """Make the cells, write the table and the report, print the comparison."""
        if not self.methods:
            raise UsageError("compare needs a method or more, e.g. compare di ni")
        if not self.timing and not self.plan:
            raise UsageError("--no-timing: of --plan, which times")
        spec = read_table("table5")
        networks = self._networks(spec.datasets)
        weights = tuple(f"{name}={path}" for name, path in networks.weights.items())
        paths = replace(self.paths, weights=weights)
        teacher, student = display_name(networks.teacher), display_name(networks.student)
        title = f"{', '.join(self.methods)} on {teacher}, students {student}"
        rows = [
            RowSpec(dataset=name, teacher=networks.teacher, student=networks.student)
            for name in spec.datasets
        ]
        named = msgspec.structs.replace(spec, name="compare", title=title, rows=rows)
        seeds = self.recipe.seed_list()
        planned = [
            expand(named, recipes, seeds, methods=self.methods, named=title)
            for recipes in self.recipe.recipes(spec.datasets, networks.weights, paths.data_root)
        ]
        reject_unused(planned, self.recipe, paths)
        if self.plan:
            return self._print_plan(planned, paths)
        return run_and_report(planned, paths, self.execution, self.json)

    def _print_plan(self, planned: list[PlannedTable], paths: PathOptions) -> int:
        about = f"compare {' '.join(self.methods)} at scale {self.recipe.scale}"
        timing = self.timing and self.execution.ray_options() is None
        print_plan(
            about, cells_of(planned), paths.runs_dir, self.execution, timing=timing, json=self.json
        )
        return 0

    def _networks(self, published: list[str]) -> ComparedNetworks:
        """Teacher, student and all files of weights, by what the networks' code is."""
        teacher, weights = self._teacher(), self.paths.given_weights()
        if self.teacher_weights is not None:
            if self.recipe.ready:
                raise UsageError(f"--teacher-weights: --ready {self.recipe.ready} has its own")
            if teacher in weights:
                raise UsageError(f"--teacher-weights: --weights {teacher}=… says another file")
            weights[teacher] = self._own_weights(self.teacher_weights, published)
        recipes = self.recipe.recipes(published, weights)
        return compared_networks(teacher, self.student, weights, recipes)

    def _own_weights(self, file: Path, published: list[str]) -> Path:
        """The file, which is there and for one data set."""
        if not file.is_file():
            raise MissingError(f"--teacher-weights {file}: no such file")
        names = [recipes.dataset for recipes in self.recipe.recipes(published)]
        if len(names) > 1:
            known = " or ".join(names)
            raise UsageError(f"--teacher-weights: for which data set? --dataset {known}")
        return file.resolve()

    def _teacher(self) -> str:
        if not self.recipe.ready:
            return self.teacher or "resnet34"
        arch = str(describe(self.recipe.ready).recipe["arch"])
        if self.teacher not in ("", arch):
            raise UsageError(f"--teacher {self.teacher}: --ready {self.recipe.ready} is a {arch}")
        return arch
