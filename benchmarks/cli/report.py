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
        """Every table that was run; exit code 1 if one can't be made of its records."""
        self.paths.require_runs()
        report = write_report(self.paths.runs_dir, self.paths.out(), protocol=paper_settings())
        if self.json:
            print_json([str(path) for path in report.paths])
        else:
            print_result(report.markdown)
        for line in report.left_out:
            log(f"not on the page: {line}")
        log(f"report: {self.paths.out() / 'report.html'}")
        return 1 if report.left_out else 0
