"""``compare``: methods side by side on one teacher and one student."""

from dataclasses import dataclass, field

import msgspec
from tyro.conf import Positional

from benchmarks.commands.common import finish_table
from benchmarks.distillation_table import ORIENTATION, PUBLISHED_FOR, assemble
from benchmarks.errors import UsageError
from benchmarks.options import How, What, Where
from benchmarks.specs import RowSpec, TableSpec, read_table
from naturalinversion.classifiers import ARCHITECTURES


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
        """Make the cells, write the views and the report, print the comparison."""
        if not self.methods:
            raise UsageError("compare needs a method or more, e.g. compare di ni")
        for arch in (self.teacher, self.student):
            if arch not in ARCHITECTURES:
                raise UsageError(
                    f"unknown architecture '{arch}': one of {', '.join(ARCHITECTURES)}"
                )
        spec = read_table("table5")
        expansions = []
        for book in self.what.books():
            published_for = PUBLISHED_FOR.get(book.dataset, ORIENTATION)
            row = self._row(spec, published_for)
            named = msgspec.structs.replace(
                spec, name="compare", title=f"{', '.join(self.methods)} on {self.teacher}"
            )
            expansions.append(
                assemble(
                    named, book, self.what.seed_list(), [row], list(self.methods), published_for
                )
            )
        return finish_table(expansions, self.where, self.how, self.json)

    def _row(self, spec: TableSpec, dataset: str) -> RowSpec:
        for row in spec.row:
            if (row.dataset, row.teacher, row.student) == (dataset, self.teacher, self.student):
                return row
        return RowSpec(dataset, self.teacher, self.student, {})
