"""What several commands do: expand a table, make its cells, write its views and its report."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.distillation_table import Expansion, expand
from benchmarks.engine import run
from benchmarks.errors import UsageError
from benchmarks.options import How, What, Where
from benchmarks.output import result, result_json, say
from benchmarks.specs import read_table
from reports.render import render
from reports.views import write as write_view


def table_expansions(
    table: str, what: What, methods: Sequence[str], rows: Sequence[str]
) -> list[Expansion]:
    """The table's cells and view, one per data set."""
    spec = read_table(table)
    seeds = what.seed_list()
    return [expand(spec, book, seeds, methods=methods, rows=rows) for book in what.books()]


def finish_table(expansions: Sequence[Expansion], where: Where, how: How, json: bool) -> int:
    """Make all cells, then report what there is; exit code 1 if a cell failed."""
    views = write_views(expansions, where.runs_dir)
    summary = run(
        [cell for expansion in expansions for cell in expansion.targets],
        where.runs_dir,
        how.machine(),
        where.data(),
        how.worker_count(),
    )
    rendered = render(where.runs_dir, where.out_dir, views)
    for error in summary.failed.values():
        say(f"failed: {error}")
    if summary.blocked:
        say(f"not run, because what they need failed: {', '.join(summary.blocked)}")
    if json:
        result_json(
            {
                "made": summary.made,
                "found": summary.found,
                "failed": {label: str(error) for label, error in summary.failed.items()},
                "blocked": summary.blocked,
                "files": [str(path) for path in rendered.paths],
            }
        )
    else:
        result(rendered.markdown)
    say(f"report: {where.out_dir / 'report.html'}")
    return 1 if summary.failed else 0


def write_views(expansions: Sequence[Expansion], runs: Path) -> list[Path]:
    """Write each view where the report looks for it."""
    paths: list[Path] = []
    for expansion in expansions:
        view = expansion.view
        name = f"{view.table}-{view.scale}-{Path(view.dataset.rpartition(':')[2]).name}"
        paths.append(runs / "views" / f"{name}.json")
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"--dataset: {path.stem} would be written twice")
    for path, expansion in zip(paths, expansions, strict=True):
        write_view(path, expansion.view)
    return paths
