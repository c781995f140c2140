"""``run``: make the cells of tables, then their report."""

from dataclasses import dataclass, field

from benchmarks.cli.console import say
from benchmarks.cli.options import How
from benchmarks.cli.plan import Plan
from benchmarks.cli.table_options import OfTables, finish_tables


@dataclass(frozen=True)
class Run(OfTables):
    """Run tables or figures and report them; the same command again resumes."""

    how: How = field(default_factory=How)
    yes: bool = False
    """start a run at scale paper, which otherwise only prints its plan"""

    def run(self) -> int:
        """Make the cells, write the tables and the report, print the tables."""
        planned = self.planned()
        if self.what.scale == "paper" and not self.yes:
            shared = (self.tables, self.what, self.where, self.methods, self.rows)
            Plan(*shared, how=self.how).run()
            say("this is scale paper: add --yes to start it")
            return 2
        return finish_tables(planned, self.where, self.how, self.json)
