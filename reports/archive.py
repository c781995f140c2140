"""Results that are kept in the repository: records, and the small files that reports show.

``<folder>/runs/`` is a runs folder without weights and images: ``<folder>/report/`` is made from it
as from any other. So is ``docs/results.md``, whose sentences are written by hand and whose numbers
are not: its template names them by folder, table, row and column, and one that isn't there is an
error.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from msgspec.structs import replace

from reports.image_metrics import image_cells, of_images
from reports.machine import device_class
from reports.new_folder import replaced
from reports.records import FILE_NAME, Record, RecordError, folder_of, lineage, load_all
from reports.seed_statistics import compare_by_seed, summarise
from reports.table_report import TableReport, make_table_report
from reports.tables.cost_text import cost_table
from reports.tables.export import number, places
from reports.tables.layout import FIGURE_FILES, Table
from reports.tables.markup import escape_markdown, markdown_table
from reports.tables.measured import Line, lines_of
from reports.tables.table_files import FOLDER, read, table_files, write

KEPT = Path(__file__).parent / "results"
RUNS, REPORT = Path("runs"), Path("report")
TEMPLATE = "results.md.j2"
LARGEST = 2_000_000  # bytes of a file that may be kept


def keep(
    runs: Path,
    to: Path,
    *,
    pictures: bool = True,
    report: Callable[[Path], list[Path]] = lambda folder: [],
) -> list[Path]:
    """Copy every table of ``runs`` with its records, theirs, and what figures show to ``to``/runs.

    Samples of images are kept with ``pictures`` only. ``report`` writes more into the folder,
    beside ``runs``, and returns its files. What was kept there before is replaced, as soon as all
    of this is there. Returns the files written. RecordError when there is no table, when a number's
    record is missing, when a file is too large to be kept or can't be copied, or when one of the
    folders lies in the other.
    """
    one, other = runs.resolve(), to.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise RecordError(f"{runs} can't be kept in {to}: one of them lies in the other")
    paths = table_files(runs)
    if not paths:
        raise RecordError(f"{runs / FOLDER}: no table to keep; run a table first")
    records = load_all(runs)
    files: dict[Path, Path] = {}
    tables = {path: read(path) for path in paths}
    for path, table in tables.items():
        if not pictures:
            others = [figure for figure in table.figures if figure.type != "image_grid"]
            table = tables[path] = replace(table, pictures=[], figures=others)
        wanted = [(key, FILE_NAME) for key in _with_inputs(table, records, path)]
        for key, name in [*wanted, *_shown(table)]:
            if key in records:
                folder = folder_of(runs, records[key])
                files[folder / name] = RUNS / folder.relative_to(runs) / name
    for source in (*paths, *files):
        if (size := source.stat().st_size) > LARGEST:
            raise RecordError(f"{source}: {size:,} bytes are too many to be kept")
    kept = {RUNS / FOLDER / path.name: table for path, table in tables.items()}
    try:
        with replaced(to) as draft:
            for source, target in files.items():
                (draft / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, draft / target)
            for target, table in kept.items():
                write(draft / target, table)
            reported = [path.relative_to(draft) for path in report(draft)]
    except OSError as error:
        where = error.filename or to
        raise RecordError(f"{where}: not kept ({error.strerror or error})") from None
    return [to / target for target in (*kept, *files.values(), *reported)]


def _with_inputs(table: Table, records: Mapping[str, Record], path: Path) -> list[str]:
    """The keys of a table's records and of all that they were made from."""
    own = {key for row in table.rows for cell in row.cells.values() for key in cell.records} - {""}
    found = lineage(own, records)
    needed = own | {key for record in found for key in record.inputs.values()}
    for key in sorted(needed - records.keys()):
        raise RecordError(f"{path}: {key} has no record; run the table to its end first")
    return [record.key for record in found]


def _shown(table: Table) -> Iterator[tuple[str, str]]:
    """Record and file of every picture, and of what a figure reads of each row's first seed."""
    for picture in table.pictures:
        yield picture.record, picture.file
    for figure in table.figures:
        if figure.type in FIGURE_FILES:
            for row in table.rows:
                for key in table.cell(row, table.columns[0]).records[:1]:
                    yield key, FIGURE_FILES[figure.type]


class Archive:
    """One folder of kept results, as the template sees it."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / RUNS
        self.records: dict[str, Record] = load_all(self.runs)
        self._reports: dict[str, TableReport] = {}

    def report(self, table: str) -> TableReport:
        """Everything printed of a table, by the name of its file."""
        if table not in self._reports:
            found = read(self.runs / FOLDER / f"{table}.json")
            self._reports[table] = make_table_report(found, self.records, self.runs, table)
        return self._reports[table]

    def table(self, table: str) -> str:
        """The table without its notes."""
        return self.report(table).markdown.split("\n\n- ")[0].partition("\n\n")[2].strip()

    def summary(self, table: str, columns: Mapping[str, str], rows: Sequence[str] = ()) -> str:
        """Some columns, by id with their headings, of all or some rows; a dash where none ran.

        RecordError for a row or column that the table has not.
        """
        found = read(self.runs / FOLDER / f"{table}.json")
        ids = {row.id for row in found.rows} | {column.id for column in found.columns}
        if unknown := [name for name in (*columns, *rows) if name not in ids]:
            raise RecordError(f"{self.runs}: {table} has no {unknown[0]}")
        frame = self.report(table).frame
        run = {(line["row"], line["column"]) for line in lines_of(frame) if line["n"]}
        body = [
            [
                escape_markdown(row.label),
                *(self.value(table, row.id, c) if (row.id, c) in run else "—" for c in columns),
            ]
            for row in found.rows
            if not rows or row.id in rows
        ]
        return markdown_table(["", *columns.values()], body, "l" + "r" * len(columns))

    def cost(self, table: str) -> str:
        """The table of what its methods cost, without its notes. RecordError if none was run."""
        if not (costs := self.report(table).costs):
            raise RecordError(f"{self.runs}: {table} has no images whose cost is known")
        return cost_table(costs)

    def line(self, table: str, row: str, column: str) -> Line:
        """One number with its seeds."""
        frame = self.report(table).frame
        found = lines_of(frame[(frame["row"] == row) & (frame["column"] == column)])
        if len(found) != 1 or not found[0]["n"]:
            raise RecordError(f"{self.runs}: {table} has no number {row}, {column}")
        return found[0]

    def value(self, table: str, row: str, column: str) -> str:
        """The mean, with its standard deviation where there are several seeds."""
        line = self.line(table, row, column)
        return _with_sd(line["mean"], line["sd"] if line["n"] > 1 else None)

    def difference(self, table: str, row: str, one: str, other: str) -> str:
        """How much more the first column has than the other, by seed, with the p-value."""
        return self._between(table, (row, one), (row, other))

    def row_difference(self, table: str, column: str, one: str, other: str) -> str:
        """The same of two rows in one column."""
        return self._between(table, (one, column), (other, column))

    def _between(self, table: str, one: tuple[str, str], other: tuple[str, str]) -> str:
        lines = [self.line(table, *place) for place in (one, other)]
        by_seed = [dict(zip(line["seeds"], line["values"], strict=True)) for line in lines]
        found = compare_by_seed(*by_seed)
        if found.difference is None:
            raise RecordError(f"{self.runs}: {table}: {one} and {other} share no seed")
        decimals = 2 if max(abs(line["mean"]) for line in lines) < 2 else 1
        text = f"{found.difference:+.{decimals}f}"
        if found.p_value is not None:
            text += f" (paired over {found.n} seeds, p = {found.p_value:.1g})"
        return text

    def of_images(self, table: str, row: str, column: str, name: str, factor: float = 1.0) -> str:
        """Mean of a metric over all images behind a number, ± over its seeds.

        A set made in several cells has a record for each, and counts them by the images read. Loss
        terms at the end, ``final_*``, are of the first batch of each cell.
        """
        by_seed = []
        for key in self.line(table, row, column)["records"]:
            if (value := of_images(self.records[key], name, self.records)) is None:
                raise RecordError(f"{self.runs}: the images of {row}, {column} have no {name}")
            by_seed.append(factor * value)
        found = summarise(by_seed)
        return _with_sd(found.mean, found.sd)

    def total_of_images(self, table: str, row: str, column: str, name: str) -> str:
        """A count, summed over all images of all seeds behind a number."""
        behind = [self.records[key] for key in self.line(table, row, column)["records"]]
        found = [cell for record in behind for cell in image_cells(record, self.records)]
        counts: list[float] = [float(cell.metrics[name]) for cell in found]  # type: ignore[arg-type]
        return f"{sum(counts):,.0f}"

    def metric(self, table: str, row: str, column: str, name: str, of: str = "") -> float:
        """Another metric of the first seed's record behind a number, or of its input ``of``."""
        record = self.records[self.line(table, row, column)["records"][0]]
        if of:
            record = self.records[record.inputs[of]]
        if name not in record.metrics:
            raise RecordError(f"{self.runs}: {record.label} has no {name}")
        return float(record.metrics[name])  # type: ignore[arg-type]

    @property
    def hours(self) -> float:
        """Computing time of all records, one after the other."""
        return sum(record.cost.seconds for record in self.records.values()) / 3600

    @property
    def made_with(self) -> str:
        """Machine, threads, precisions and versions of all records."""
        found: dict[str, set[str]] = {}
        for record in self.records.values():
            made = record.provenance
            where = device_class(made.device)
            if where == "cpu":
                where = f"{made.cpu or where}, threads a run: {made.threads}"
            versions = f"PyTorch {made.versions['torch']}"
            found.setdefault(f"{where}, {versions}", set()).add(made.precision)
        return "; ".join(f"{one}, {' and '.join(sorted(found[one]))}" for one in sorted(found))


def render_results(template: Path, kept: Path = KEPT) -> str:
    """``docs/results.md`` as Markdown. RecordError for a number that there is no record of."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    folder = cache(lambda name: Archive(kept / name))
    page = environment.from_string(template.read_text("utf-8"))
    return page.render(kept=folder)


def _with_sd(mean: float, sd: float | None) -> str:
    decimals = min(places(mean), 1) if abs(mean) >= 10 else places(mean)
    text = number(mean, decimals)
    return text if sd is None else f"{text} ± {number(sd, decimals)}"
