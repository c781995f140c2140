"""``run``: compute the cells of tables, then their report."""

from dataclasses import dataclass, field

from benchmarks.cli.console import log
from benchmarks.cli.options import RunOptions
from benchmarks.cli.plan import Plan
from benchmarks.cli.table_options import TableOptions, run_and_report


@dataclass(frozen=True)
class Run(TableOptions):
    """Run tables or figures and report them; the same command again resumes."""

    execution: RunOptions = field(default_factory=RunOptions)
    yes: bool = False
    """start a run at scale paper, which otherwise only prints its plan"""
    json: bool = False
    """print the result as JSON; failed and blocked cells by label-key, the name of their folder"""

    def run(self) -> int:
        """Make the cells, write the tables and the report, print the tables."""
        planned = self.planned()
        if self.recipe.scale == "paper" and not self.yes:
            shared = (self.tables, self.recipe, self.paths, self.methods, self.rows, self.teacher)
            Plan(*shared, execution=self.execution).run()
            log("this is scale paper: add --yes to start it")
            return 2
        return run_and_report(planned, self.paths, self.execution, self.json)
