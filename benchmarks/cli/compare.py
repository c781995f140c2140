"""``compare``: methods side by side on one teacher and one student."""

from dataclasses import dataclass, field

import msgspec
from tyro.conf import Positional

from benchmarks.cli.options import How, What, Where
from benchmarks.cli.table_options import finish_tables
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
    what: What = field(default_factory=What)
    where: Where = field(default_factory=Where)
    how: How = field(default_factory=How)
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
        title = f"{', '.join(self.methods)} on {self.teacher}"
        rows = [
            RowSpec(dataset=name, teacher=self.teacher, student=self.student)
            for name in spec.datasets
        ]
        named = msgspec.structs.replace(spec, name="compare", title=title, rows=rows)
        seeds = self.what.seed_list()
        planned = [
            expand(named, book, seeds, methods=self.methods)
            for book in self.what.books(spec.datasets, self.where.given_weights())
        ]
        return finish_tables(planned, self.where, self.how, self.json)
