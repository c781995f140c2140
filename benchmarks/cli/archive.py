"""``keep`` and ``results``: records for the repository, and the pages that are made of them."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cli.console import log
from benchmarks.tables.paper_settings import paper_settings
from naturalinversion.errors import MissingError, UsageError
from reports.archive import KEPT, REPORT, RUNS, keep
from reports.new_folder import replaced
from reports.records import write_atomically
from reports.report import write_report
from reports.results_pages.render import TEMPLATES, render_all
from reports.tables.table_files import tables_to_report

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Keep:
    """For maintainers: copy tables, records and sample pictures to reports/results/NAME, and report
    them.
    """

    name: str
    """of the folder, e.g. 2026-11-23-two-cores"""
    pictures: bool = True
    """with samples of the images that numbers are of"""
    runs_dir: Path = Path("runs")
    """finished cells"""

    def run(self) -> int:
        """Copy."""
        if Path(self.name).name != self.name or self.name in ("", ".", ".."):
            raise UsageError(f"--name {self.name!r}: the name of one folder")
        files = keep(self.runs_dir, KEPT / self.name, pictures=self.pictures, report=report)
        size = sum(path.stat().st_size for path in files)
        log(f"{KEPT / self.name}: {len(files)} files, {size / 1e6:.1f} MB")
        return 0


@dataclass(frozen=True)
class Results:
    """For maintainers: write the pages of results, their pictures and the kept reports again from
    the records.
    """

    docs: Path = DOCS
    """the folder of the templates and pages; the README beside it has a part made of them"""

    def run(self) -> int:
        """Render."""
        if not any(self.docs.glob(TEMPLATES)):
            raise MissingError(f"{self.docs / TEMPLATES} is missing")
        for folder in sorted(path.parent for path in KEPT.glob(f"[!.]*/{RUNS}")):
            log(f"written: {report(folder)[-1]}")
        for path, data in render_all(self.docs).items():
            write_atomically(path, data)
            log(f"written: {path}")
        return 0


def report(folder: Path) -> list[Path]:
    """Tables and page of kept records, in place of those that were there."""
    with replaced(folder / REPORT) as draft:
        files = tables_to_report(folder / RUNS)
        made = write_report(folder / RUNS, draft, files, paper_settings()).paths
    return [folder / REPORT / path.name for path in made]
