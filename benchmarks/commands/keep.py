"""``keep`` and ``results``: records for the repository, and the page that is made of them."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.errors import MissingError
from benchmarks.options import Where
from benchmarks.output import say
from reports.kept import keep
from reports.records import write_atomically
from reports.results import KEPT, TEMPLATE, render_results

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Keep:
    """Copy views, records and grids, no weights or images, to reports/results/NAME."""

    name: str
    """of the folder, e.g. 2026-11-23-two-cores"""
    where: Where = field(default_factory=Where)

    def run(self) -> int:
        """Copy."""
        files = keep(self.where.runs_dir, KEPT / self.name)
        size = sum(path.stat().st_size for path in files)
        say(f"{KEPT / self.name}: {len(files)} files, {size / 1e6:.1f} MB")
        return 0


@dataclass(frozen=True)
class Results:
    """Write docs/results.md again from its template and the kept records."""

    docs: Path = DOCS
    """the folder of the template and the page"""

    def run(self) -> int:
        """Render."""
        template = self.docs / TEMPLATE
        if not template.is_file():
            raise MissingError(f"{template} is missing")
        page = template.with_suffix("")
        write_atomically(page, render_results(template).encode())
        say(f"written: {page}")
        return 0
