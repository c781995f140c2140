"""``compare``: methods side by side on one teacher and one student."""

from dataclasses import dataclass, field

import msgspec
from tyro.conf import Positional

from benchmarks.cli.options import PathOptions, RecipeOptions, RunOptions
from benchmarks.cli.table_options import run_and_report
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import RowSpec, read_table
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.errors import UsageError


@dataclass(frozen=True)
class Compare:
    """Run some methods on one teacher and report them side by side."""

    methods: Positional[tuple[str, ...]]
    """dafl dfad di adi ni ni_adi, or package.module:Class"""
    teacher: str = "resnet34"
    student: str = "resnet18"
    recipe: RecipeOptions = field(default_factory=RecipeOptions)
    paths: PathOptions = field(default_factory=PathOptions)
    execution: RunOptions = field(default_factory=RunOptions)
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Make the cells, write the table and the report, print the comparison."""
        if not self.methods:
            raise UsageError("compare needs a method or more, e.g. compare di ni")
        for arch in (self.teacher, self.student):
            if arch not in ARCHITECTURES:
                raise UsageError(
                    f"unknown architecture '{arch}': one of {', '.join(ARCHITECTURES)}"
                )
        spec = read_table("table5")
        title = f"{', '.join(self.methods)} on {self.teacher}, students {self.student}"
        rows = [
            RowSpec(dataset=name, teacher=self.teacher, student=self.student)
            for name in spec.datasets
        ]
        named = msgspec.structs.replace(spec, name="compare", title=title, rows=rows)
        seeds = self.recipe.seed_list()
        planned = [
            expand(named, recipes, seeds, methods=self.methods, named=title)
            for recipes in self.recipe.recipes(spec.datasets, self.paths.given_weights())
        ]
        return run_and_report(planned, self.paths, self.execution, self.json)
