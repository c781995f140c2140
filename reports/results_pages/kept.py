"""A folder of kept results, as the templates of pages see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from reports.archive import RUNS
from reports.figures.tiles import Pixels, read_tiles
from reports.image_metrics import image_cells, of_images
from reports.machine import device_class
from reports.records import Record, RecordError, folder_of, load_all
from reports.results_pages.values import BySeed, check_known, difference_by_seed, with_sd
from reports.seed_statistics import SIGNIFICANCE, compare_by_seed, correct_for_many, summarise
from reports.table_report import TableReport, make_table_report
from reports.tables.markup import escape_markdown, markdown_table
from reports.tables.measured import Line, values_by_seed
from reports.tables.table_files import read, table_files

GRID = "grid.png"  # samples of a set of images, in its folder


class Archive:
    """One folder of kept results, as the template sees it. RecordError where there are none, or
    not what a method is asked for."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / RUNS
        there = sorted(path.parent.name for path in folder.parent.glob(f"[!.]*/{RUNS}"))
        check_known(folder.name, there, f"{folder.parent}: no kept results")
        self.records: dict[str, Record] = load_all(self.runs)
        self._reports: dict[str, TableReport] = {}

    def report(self, table: str) -> TableReport:
        """Everything printed of a table, by the name of its file."""
        if table not in self._reports:
            files = {path.stem: path for path in table_files(self.runs)}
            check_known(table, files, f"{self.runs}: no table")
            found = read(files[table])
            self._reports[table] = make_table_report(found, self.records, self.runs, table)
        return self._reports[table]

    def table(self, table: str) -> str:
        """The table without its notes."""
        return self.report(table).markdown.split("\n\n- ")[0].partition("\n\n")[2].strip()

    def summary(self, table: str, columns: Mapping[str, str], head: str = "Row") -> str:
        """Some columns, by id with their headings, of all rows; a dash where none ran.

        ``head`` stands above the rows' labels.
        """
        found, lines = self.report(table).table, self.report(table).lines
        for column in columns:
            self._check_place(table, column=column)
        run = {place for place, line in lines.items() if line["n"]}
        body = [
            [
                escape_markdown(row.label),
                *(self.value(table, row.id, c) if (row.id, c) in run else "—" for c in columns),
            ]
            for row in found.rows
        ]
        return markdown_table([head, *columns.values()], body, "l" + "r" * len(columns))

    def seconds(self, table: str, row: str, method: str) -> str:
        """Device seconds for a method's images in a row."""
        self._check_place(table, row)
        costs = {one.method: one for one in self.report(table).costs if row in one.rows}
        check_known(method, costs, f"{self.runs}: {table}, {row} has no method")
        found = costs[method].seconds
        if found is None:
            raise RecordError(f"{self.runs}: {table}: the cost of {method} is not known")
        return with_sd(found.mean, found.sd)

    def line(self, table: str, row: str, column: str) -> Line:
        """One number with its seeds."""
        self._check_place(table, row, column)
        found = self.report(table).lines[row, column]
        if not found["n"]:
            raise RecordError(f"{self.runs}: {table}: {row}, {column} was not run")
        return found

    def _check_place(self, table: str, row: str = "", column: str = "") -> None:
        """RecordError for a row or column that the table has not."""
        of = self.report(table).table
        for what, name, there in (("row", row, of.rows), ("column", column, of.columns)):
            if name:
                check_known(name, [one.id for one in there], f"{self.runs}: {table} has no {what}")

    def value(self, table: str, row: str, column: str) -> str:
        """The mean, with its standard deviation where there are several seeds."""
        line = self.line(table, row, column)
        return with_sd(line["mean"], line["sd"] if line["n"] > 1 else None)

    def difference(self, table: str, row: str, one: str, other: str) -> str:
        """How much more the first column has than the other: `difference_by_seed`."""
        return self._between(table, (row, one), (row, other))

    def row_difference(self, table: str, column: str, one: str, other: str) -> str:
        """The same of two rows in one column."""
        return self._between(table, (one, column), (other, column))

    def alike(self, table: str, row: str, columns: Sequence[str]) -> list[str]:
        """Which pairs of a row's columns no test tells apart, corrected for all pairs of them."""
        values = [values_by_seed(self.line(table, row, column)) for column in columns]
        tests = [compare_by_seed(*pair).p_value for pair in combinations(values, 2)]
        methods = {column.id: column.method for column in self.report(table).table.columns}
        pairs = combinations([methods[column] for column in columns], 2)
        return [
            " and ".join(pair)
            for pair, p in zip(pairs, correct_for_many(tests), strict=True)
            if p is None or p >= SIGNIFICANCE
        ]

    def _between(self, table: str, one: tuple[str, str], other: tuple[str, str]) -> str:
        first, second = (values_by_seed(self.line(table, *place)) for place in (one, other))
        return difference_by_seed(first, second, f"{self.runs}: {table}: {one} and {other}")

    def of_images(self, table: str, row: str, column: str, name: str, factor: float = 1.0) -> str:
        """Mean of a metric over all images behind a number, ± over its seeds.

        A set made in several cells has a record for each, and counts them by the images read. Loss
        terms at the end, ``final_*``, are of the first batch of each cell.
        """
        scaled = []
        for key in self.line(table, row, column)["records"]:
            record = self.records[key]
            for cell in self._images_behind(record):
                self._number(cell, name)
            value = of_images(record, name, self.records)
            assert value is not None
            scaled.append(factor * value)
        found = summarise(scaled)
        return with_sd(found.mean, found.sd)

    def total_of_images(self, table: str, row: str, column: str, name: str) -> str:
        """A count, summed over all images of all seeds behind a number."""
        behind = [self.records[key] for key in self.line(table, row, column)["records"]]
        found = [cell for record in behind for cell in self._images_behind(record)]
        return f"{sum(self._number(cell, name) for cell in found):,.0f}"

    def metric(self, table: str, row: str, column: str, name: str, of: str = "") -> float:
        """Another metric of the first seed's record behind a number, or of its input ``of``."""
        record = self.records[self.line(table, row, column)["records"][0]]
        if of:
            check_known(of, record.inputs, f"{self.runs}: {record.label} has no input")
            record = self.records[record.inputs[of]]
        return self._number(record, name)

    def tiles(self, table: str, row: str, column: str, cell: int = 0) -> Pixels:
        """Samples (6, 10, S, S, 3) of the images behind the first seed's number: their first
        cell's, or another ``cell``'s.
        """
        record = self.records[self.line(table, row, column)["records"][0]]
        return read_tiles(self._images_behind(record)[cell], GRID, self.runs)

    def grid(self, table: str, row: str, column: str, cell: int = 0) -> str:
        """The file of those samples, from the folder of all kept results; of another ``cell``."""
        record = self.records[self.line(table, row, column)["records"][0]]
        path = folder_of(self.runs, self._images_behind(record)[cell]) / GRID
        if not path.is_file():
            raise RecordError(f"{path}: no such file")
        return path.relative_to(self.runs.parents[1]).as_posix()

    def _images_behind(self, record: Record) -> list[Record]:
        if not (found := image_cells(record, self.records)):
            raise RecordError(f"{self.runs}: {record.label} was made from no synthetic images")
        return found

    def _number(self, record: Record, name: str) -> float:
        numbers = {key: one for key, one in record.metrics.items() if isinstance(one, float | int)}
        check_known(name, numbers, f"{self.runs}: {record.label} has no number")
        return float(numbers[name])

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


def difference_over_runs(
    runs: Sequence[tuple[Archive, str]], row: str, one: str, other: str
) -> str:
    """`difference_by_seed` of what each seed has on average over several runs of a row.

    Each run is a folder of kept results and its table; seeds that not all of them have don't count.
    """

    def mean_by_seed(column: str) -> BySeed:
        found = [values_by_seed(archive.line(table, row, column)) for archive, table in runs]
        shared = set.intersection(*map(set, found)) if found else set()
        return {seed: sum(values[seed] for values in found) / len(found) for seed in sorted(shared)}

    return difference_by_seed(mean_by_seed(one), mean_by_seed(other), f"{row}: {one} and {other}")
