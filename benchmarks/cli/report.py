"""``report``: tables and page from the records, nothing run."""

from dataclasses import dataclass, field

from benchmarks.cli.console import result, result_json, say
from benchmarks.cli.options import Where
from benchmarks.tables.paper_settings import protocol_values
from reports.report import write_report


@dataclass(frozen=True)
class Report:
    """Write all tables and the page again from the records in the runs folder."""

    where: Where = field(default_factory=Where)
    json: bool = False
    """print the files written as JSON"""

    def run(self) -> int:
        """Every table that was run."""
        report = write_report(self.where.runs_dir, self.where.out_dir, protocol=protocol_values())
        if self.json:
            result_json([str(path) for path in report.paths])
        else:
            result(report.markdown)
        say(f"report: {self.where.out_dir / 'report.html'}")
        return 0
