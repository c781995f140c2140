"""``check``: compute a table's cells and compare their numbers with the accepted ones."""

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec
from tyro.conf import Positional, arg

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.help_texts import TABLES, optional
from benchmarks.cli.options import DataPaths, RecipeOptions
from benchmarks.cli.other_precision import refuse_other_precision
from benchmarks.cli.request_checks import check_request
from benchmarks.cli.table_options import TableOptions, compute_cells
from benchmarks.cli.unused_options import reject_overrides
from benchmarks.engine.digests import computing_digest
from benchmarks.engine.provenance import provenance_here
from benchmarks.tables.expand import PlannedTable, cells_of
from naturalinversion.errors import MissingError, UsageError
from reports.machine import device_class
from reports.records import load_all
from reports.regression.accepted import Accepted, not_exact
from reports.regression.accepted_file import FOLDER, path_of, refuse_shared_files
from reports.regression.accepted_file import read as read_accepted
from reports.regression.check import CheckedNumber, check_markdown, compare, drawn
from reports.regression.pairs import MIN_PAIRS, is_comparable
from reports.regression.power import power_markdown
from reports.tables.layout import Table

SEEDS = 4  # their ranks among eighteen accepted can be rare enough
RUNS = Path("runs/check")
FIRST_SEED = 100  # not one of those accepted, unless these are compared one by one


@dataclass(frozen=True)
class CheckedRecipes(RecipeOptions):
    """Which recipes: scale, data sets and seeds."""

    seeds: int = SEEDS
    """how many seeds"""
    first_seed: Annotated[int | None, optional("INT")] = None
    """the first of these seeds; by default 100, but with --exact the first accepted one, and where
    as many in a row have a second value the first of those"""


@dataclass(frozen=True)
class Check:
    """Test whether a table's numbers are still the accepted ones: exit code 1 if not."""

    tables: Annotated[Positional[tuple[str, ...]], arg(metavar=TABLES)] = ("accuracy",)
    """accuracy, or any other table with accepted numbers"""
    recipe: CheckedRecipes = field(default_factory=CheckedRecipes)
    paths: DataPaths = field(default_factory=lambda: DataPaths(runs_dir=RUNS))
    """by default a folder for each version of the code and of what computes: its numbers are
    compared, no older ones"""
    execution: RunOptions = field(default_factory=RunOptions)
    rows: Annotated[tuple[str, ...], optional("[ROW [ROW ...]]")] = ()
    """some rows of the tables; by default all"""
    columns: Annotated[tuple[str, ...], optional("[COLUMN [COLUMN ...]]")] = ()
    """some columns by their ids, such as fid bn_statistics agreement pixels, which no student is
    trained for; by default all"""
    accepted_dir: Path = FOLDER
    """where the accepted numbers are"""
    exact: bool = False
    """make accepted seeds again, and fail unless all accepted numbers have their values to the last
    digit kept; on the machine and with the versions of these, after a change that should change no
    number. Always computed, in a folder for this version of the code below --runs-dir"""
    json: bool = False
    """print the result as JSON; failed cells by label-key, the name of their folder"""

    def run(self) -> int:
        """Compute what is missing, then compare; a failed cell is a failed check."""
        return replace(self, paths=self._of_this_state())._run()

    def _of_this_state(self) -> DataPaths:
        if self.paths.runs_dir != RUNS and not self.exact:
            return self.paths
        own = self.paths.runs_dir / computing_digest(provenance_here(self.execution.machine()))
        log(f"cells of this code, its libraries and this machine: {own}")
        return replace(self.paths, runs_dir=own)

    def _run(self) -> int:
        reject_overrides(self.recipe, self.paths)
        planned = self._planned(self.recipe)
        refuse_shared_files((t for one in planned for t in one.tables), self.accepted_dir)
        accepted = self._accepted(planned)
        recipe = replace(self.recipe, first_seed=self._first_seed(accepted))
        planned = self._planned(recipe)
        if self.exact:
            self._refuse_other_rounding(recipe.seed_list(), accepted)
        else:
            planned, accepted = self._comparable(planned, accepted, recipe.seed_list())
            self._log_power(recipe.seed_list(), accepted)
        check_request(planned, self.paths, self.execution, self.json)
        tables = [table for one in planned for table in one.tables]
        machine, runs = self.execution.machine(), self.paths.runs_dir
        refuse_other_precision(tables, cells_of(planned), runs, machine)
        summary = compute_cells(planned, self.paths, self.execution)
        checked: list[CheckedNumber] = []
        if not summary.failed:
            checked = self._compare(planned, accepted)
        if self.json:
            failed = {name: str(error) for name, error in summary.failed.items()}
            found = [msgspec.to_builtins(one) | {"fails": one.fails} for one in checked]
            print_json({"failed": failed, "differences": found})
        elif checked:
            print_result(check_markdown(checked))
        return 1 if summary.failed or any(one.fails for one in checked) else 0

    def _planned(self, recipe: RecipeOptions) -> list[PlannedTable]:
        planned = TableOptions(self.tables, recipe, self.paths, rows=self.rows).planned()
        if not self.columns:
            return planned
        known = dict.fromkeys(c.id for one in planned for t in one.tables for c in t.columns)
        if unknown := [name for name in self.columns if name not in known]:
            raise UsageError(f"--columns: unknown '{unknown[0]}': one of {', '.join(known)}")
        some = [one.only(lambda row, column: column in self.columns) for one in planned]
        some = [replace(one, tables=[t for t in one.tables if t.rows]) for one in some]
        if not any(one.tables for one in some):
            raise UsageError(f"--columns {' '.join(self.columns)}: no row asked for has them")
        return some

    def _accepted(self, planned: list[PlannedTable]) -> dict[str, list[Accepted]]:
        """The accepted numbers of every table, before anything is run for them."""
        found = {}
        for name, table in ((one.name, table) for one in planned for table in one.tables):
            path = path_of(table, self.accepted_dir)
            if not path.is_file():
                raise MissingError(
                    f"{path}: no accepted numbers of {table.name}; make them with: "
                    + self._accept_command(name, table)
                )
            numbers = read_accepted(path)
            rows = {row.id for row in table.rows}
            columns = {column for row in table.rows for column in row.cells}
            if self.rows:
                numbers = [number for number in numbers if number.row in rows]
            if self.columns:
                numbers = [number for number in numbers if number.column in columns]
            if not numbers:
                asked = ", ".join([*sorted(rows), *(sorted(columns) if self.columns else ())])
                raise MissingError(f"{path}: no accepted numbers of {asked}")
            found[table.name] = numbers
        return found

    def _accept_command(self, spec: str, table: Table) -> str:
        """What makes accepted numbers of ``table``, a table of ``spec``."""
        where = ["--scale", table.scale, "--dataset", table.dataset]
        rows = ["--rows", *self.rows] if self.rows else []
        given = self.execution.precision
        precision = ["--precision", given] if given != "auto" else []
        seeds = ["--seeds", str(_seeds(table.scale))]
        asked = shlex.join([spec, *where, *rows, *seeds, *precision])
        return f"python -m benchmarks accept {asked}"

    def _comparable(
        self, planned: list[PlannedTable], accepted: dict[str, list[Accepted]], seeds: list[int]
    ) -> tuple[list[PlannedTable], dict[str, list[Accepted]]]:
        """What can be compared here, and the cells for that; `UsageError` if nothing can."""
        here, kept = self._place(), {}
        for name, numbers in accepted.items():
            kept[name] = [one for one in numbers if is_comparable(one, seeds, here)]
            if all(one.fixed for one in kept[name]) and not all(one.fixed for one in numbers):
                raise UsageError(f"{name}: {_not_compared(numbers, seeds, here)}")
            if left := [f"{one.row} {one.column}" for one in numbers if one not in kept[name]]:
                log(f"{name}: of {here} nothing is accepted of {', '.join(left)}: not compared")
        if kept == accepted:
            return planned, accepted
        places = {(one.row, one.column) for numbers in kept.values() for one in numbers}
        return [one.only(lambda row, column: (row, column) in places) for one in planned], kept

    def _place(self) -> str:
        made = provenance_here(self.execution.machine())
        return f"{device_class(made.device)} in {made.precision}"

    def _first_seed(self, accepted: dict[str, list[Accepted]]) -> int:
        """The one asked for, or else the first of accepted seeds that are compared one by one."""
        if self.recipe.first_seed is not None:
            return self.recipe.first_seed
        numbers = [number for of_table in accepted.values() for number in of_table]
        if self.exact:
            return min(number.seeds[0] for number in numbers)
        twice = [set(one.again_seeds) for one in numbers if len(one.again) >= MIN_PAIRS]
        shared = set.intersection(*twice) if twice else set()
        count = self.recipe.seeds
        starts = (seed for seed in sorted(shared) if {*range(seed, seed + count)} <= shared)
        return next(starts, FIRST_SEED)

    def _refuse_other_rounding(self, seeds: list[int], accepted: dict[str, list[Accepted]]) -> None:
        """Raises `UsageError` where values can't be the accepted ones to the last digit, and says
        where nobody knows.
        """
        made = provenance_here(self.execution.machine())
        for name, numbers in accepted.items():
            for number in numbers:
                if reason := not_exact(number, seeds, made):
                    raise UsageError(f"--exact: {name}: {reason}")
            if any(not number.machine for number in numbers):
                log(f"{name}: on which machine is not kept; on another one every value may differ")

    def _log_power(self, seeds: list[int], accepted: dict[str, list[Accepted]]) -> None:
        """What the check can see, before anything is computed for it."""
        here = self._place()
        for name, numbers in accepted.items():
            seen = power_markdown(numbers, seeds, _drawn(accepted), here)
            log(f"{name}: what {len(seeds)} seeds see in 19 of 20 cases\n{seen}")

    def _compare(
        self, planned: list[PlannedTable], accepted: dict[str, list[Accepted]]
    ) -> list[CheckedNumber]:
        records = load_all(self.paths.runs_dir)
        numbers = _drawn(accepted)
        return [
            number
            for one in planned
            for table in one.tables
            for number in compare(table, records, accepted[table.name], numbers, exact=self.exact)
        ]


def _seeds(scale: str) -> int:
    """How many to accept: so many that the ranks of `SEEDS` can be rare, fewer of long runs."""
    return 18 if scale == "demo" else 8


def _not_compared(numbers: list[Accepted], seeds: list[int], here: str) -> str:
    made = sorted({one.made_on for one in numbers if not one.fixed})
    twice = sorted({s for one in numbers if here in one.again_places for s in one.again_seeds})
    known = f", of seeds {' '.join(map(str, twice))} also of {here}" if twice else ""
    asked = f"seeds {' '.join(map(str, seeds))} of {here}" if twice else f"this is {here}"
    return f"the accepted numbers are of {' and '.join(made)}{known}, {asked}: not compared"


def _drawn(accepted: dict[str, list[Accepted]]) -> int:
    return drawn([number for of_table in accepted.values() for number in of_table])
