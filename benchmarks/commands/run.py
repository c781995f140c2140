"""``run``: make a table's cells, then its report."""

from dataclasses import dataclass, field

from tyro.conf import Positional

from benchmarks.commands.common import finish_table, table_expansions
from benchmarks.commands.plan import Plan
from benchmarks.options import How, What, Where
from benchmarks.output import say


@dataclass(frozen=True)
class Run:
    """Run a table and report it; the same command again resumes."""

    table: Positional[str]
    """table5"""
    what: What = field(default_factory=What)
    where: Where = field(default_factory=Where)
    how: How = field(default_factory=How)
    methods: tuple[str, ...] = ()
    """some of the table's methods, or package.module:Class of your own; default: the table's"""
    rows: tuple[str, ...] = ()
    """some rows as teacher-student, e.g. resnet34-resnet18; default: all"""
    yes: bool = False
    """start a run at scale paper, which otherwise only prints its plan"""
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Make the cells, write the views and the report, print the tables."""
        expansions = table_expansions(self.table, self.what, self.methods, self.rows)
        if self.what.scale == "paper" and not self.yes:
            plan = Plan(self.table, self.what, self.where, self.how, self.methods, self.rows)
            plan.run()
            say("this is scale paper: add --yes to start it")
            return 2
        return finish_table(expansions, self.where, self.how, self.json)
