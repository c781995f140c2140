"""``accept``: make a table's numbers the reference of later checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.help_texts import TABLES, optional
from benchmarks.cli.options import DataPaths, RecipeOptions
from benchmarks.cli.other_precision import refuse_other_precision
from benchmarks.cli.request_checks import check_request
from benchmarks.cli.table_options import TableOptions, compute_cells
from benchmarks.cli.unused_options import reject_overrides
from benchmarks.engine.provenance import commit_here
from benchmarks.tables.expand import PlannedTable, cells_of
from naturalinversion.errors import MissingError, UsageError
from reports.records import load_all
from reports.regression.accepted import MIN_SEEDS, Accepted, accepted_from
from reports.regression.accepted_file import (
    FOLDER,
    changes,
    path_of,
    read,
    refuse_shared_files,
    with_other_rows,
    write,
)
from reports.regression.again import with_again, with_again_of
from reports.tables.layout import Table

Files = dict[Path, tuple[list[Accepted], list[Accepted]]]  # what each has, and will have


@dataclass(frozen=True)
class Accept:
    """For maintainers: write a table's numbers over several seeds into the repository."""

    tables: Annotated[Positional[tuple[str, ...]], arg(metavar=TABLES)] = ("accuracy",)
    """accuracy, or any other table"""
    recipe: RecipeOptions = field(default_factory=RecipeOptions)
    paths: DataPaths = field(default_factory=DataPaths)
    execution: RunOptions = field(default_factory=RunOptions)
    rows: Annotated[tuple[str, ...], optional("[ROW [ROW ...]]")] = ()
    """some rows of the tables; what is accepted of the others stays"""
    again_dir: Annotated[tuple[Path, ...] | None, optional("PATH [PATH ...]")] = None
    """runs folders where some accepted seeds were run elsewhere, on another processor, GPU or in
    another precision: adds their values to the accepted ones and makes nothing. Checks then hold
    seeds against themselves where that sees more, and may run there as well"""
    accepted_dir: Path = FOLDER
    """where the accepted numbers are kept"""
    json: bool = False
    """print what changes as JSON"""

    def run(self) -> int:
        """Make what is missing, then write one file per table; nothing if a cell failed."""
        if self.again_dir is None and len(self.recipe.seed_list()) < MIN_SEEDS:
            raise UsageError(f"--seeds {self.recipe.seeds}: {MIN_SEEDS} or more to accept")
        reject_overrides(self.recipe, self.paths)
        planned = TableOptions(self.tables, self.recipe, self.paths, rows=self.rows).planned()
        tables = [table for one in planned for table in one.tables]
        refuse_shared_files(tables, self.accepted_dir)
        if self.again_dir is not None:
            return self._write(self._with_again(planned, self.again_dir))
        check_request(planned, self.paths, self.execution, self.json)
        machine, runs = self.execution.machine(), self.paths.runs_dir
        refuse_other_precision(tables, cells_of(planned), runs, machine)
        if failed := compute_cells(planned, self.paths, self.execution).failed:
            if self.json:
                print_json({"failed": {name: str(error) for name, error in failed.items()}})
            return 1
        accepted = self._accepted(tables)
        done = self._write(accepted)
        rows = {row.id for table in tables for row in table.rows}
        numbers = [number for _, found in accepted.values() for number in found]
        log_commits([number for number in numbers if number.row in rows])
        return done

    def _write(self, accepted: Files) -> int:
        """Write the files and say what changes."""
        answer = {}
        for path, (before, numbers) in accepted.items():
            answer[str(path)] = list(changes(before, numbers))
            write(path, numbers)
        if self.json:
            print_json(answer)
            return 0
        for name, lines in answer.items():
            print_result("\n".join([f"{name}:", *(lines or ["as it was"])]))
        return 0

    def _with_again(self, planned: list[PlannedTable], folders: Sequence[Path]) -> Files:
        """What each file has, and will have with second values of its seeds."""
        if not folders:
            raise UsageError("--again-dir: which folder?")
        if self.recipe.seeds != 1 or self.recipe.first_seed is not None:
            raise UsageError(
                "--again-dir takes all accepted seeds that the folders have: no --seeds"
            )
        for folder in folders:
            if not folder.is_dir():
                raise MissingError(f"--again-dir {folder}: no such folder")
        runs = {str(folder): load_all(folder) for folder in folders}
        found: Files = {}
        for table in (table for one in planned for table in one.tables):
            path = path_of(table, self.accepted_dir)
            if not path.is_file():
                raise MissingError(f"{path}: no accepted numbers that could have second values")
        for one in planned:
            before = [read(path_of(table, self.accepted_dir)) for table in one.tables]
            seeds = sorted({seed for found in before for number in found for seed in number.seeds})
            for table, numbers in zip(one.tables_of(seeds), before, strict=True):
                path = path_of(table, self.accepted_dir)
                found[path] = numbers, with_again(table, numbers, runs)
        made = {record.provenance.commit or "?" for of in runs.values() for record in of.values()}
        log(
            f"second values are of {', '.join(sorted(made))}: where that code is not the accepted "
            "numbers', the difference counts as rounding"
        )
        return found

    def _accepted(self, tables: list[Table]) -> Files:
        """What each file has and will have, all of them before the first file is written."""
        records = load_all(self.paths.runs_dir)
        found: Files = {}
        for table in tables:
            path = path_of(table, self.accepted_dir)
            before = read(path) if path.is_file() else []
            numbers, gone = with_again_of(before, accepted_from(table, records))
            if gone:
                log(f"{path}: {gone} second values are gone with the values that they stood beside")
            rows_alone = bool(self.rows)
            found[path] = before, with_other_rows(path, before, numbers, rows_alone=rows_alone)
        return found


def log_commits(numbers: Iterable[Accepted]) -> None:
    """Say so where records are of another commit than this checkout, or of none."""
    here = commit_here() or "?"
    commits = {commit for number in numbers for commit in number.commit.split()}
    if any("+" in commit for commit in commits):
        log("some records are of a checkout with changes: commit first, then accept")
    if others := sorted(commits - {here}):
        log(
            f"some records are of {' and '.join(others)}, this checkout is {here}: its numbers are "
            "made anew with another --runs-dir"
        )
