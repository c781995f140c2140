"""``run``: compute the cells of tables, then their report."""

from dataclasses import dataclass, field

from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.options import PathOptions
from benchmarks.cli.table_options import TableOptions, run_and_report


@dataclass(frozen=True)
class Run(TableOptions):
    """Run tables or figures and report them; the same command again resumes."""

    paths: PathOptions = field(default_factory=PathOptions)
    execution: RunOptions = field(default_factory=RunOptions)
    json: bool = False
    """print the result as JSON; failed and blocked cells by label-key, the name of their folder"""

    def run(self) -> int:
        """Make the cells, write the tables and the report, print the tables."""
        return run_and_report(self.planned(), self.paths, self.execution, self.json)
