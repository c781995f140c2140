"""``report``: tables and page from the records, nothing run."""

from dataclasses import dataclass, field

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import FolderOptions
from benchmarks.tables.paper_settings import paper_settings
from reports.report import write_report


@dataclass(frozen=True)
class Report:
    """Write all tables and the page again from the records in the runs folder."""

    paths: FolderOptions = field(default_factory=FolderOptions)
    json: bool = False
    """print the files written as JSON"""

    def run(self) -> int:
        """Every table that was run."""
        self.paths.require_runs()
        report = write_report(self.paths.runs_dir, self.paths.out(), protocol=paper_settings())
        if self.json:
            print_json([str(path) for path in report.paths])
        else:
            print_result(report.markdown)
        log(f"report: {self.paths.out() / 'report.html'}")
        return 0
