"""``check``: make a table's cells and hold their numbers against the accepted ones."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from tyro.conf import Positional

from benchmarks.cli.console import result, result_json, say
from benchmarks.cli.options import How, What, Where
from benchmarks.cli.table_options import OfTables, make_cells, refuse_by_hand
from benchmarks.engine.digests import source_digest
from benchmarks.engine.provenance import CostMeter
from benchmarks.tables.expand import Expansion
from naturalinversion.errors import MissingError, UsageError
from reports.machine import device_class
from reports.records import load_all
from reports.regression.accept import RefusedError
from reports.regression.accepted import FOLDER, Accepted, path_of
from reports.regression.accepted import read as read_accepted
from reports.regression.check import Difference, compare
from reports.regression.check_text import check_markdown

SEEDS = 4  # their ranks among eighteen accepted can be rare enough
RUNS = Path("runs/check")
FIRST_SEED = 100  # not one of those accepted


@dataclass(frozen=True)
class Check:
    """Say whether a table's numbers are still the accepted ones: exit code 1 if not."""

    tables: Positional[tuple[str, ...]] = ("accuracy",)
    """accuracy, or any other table with accepted numbers"""
    what: What = field(default_factory=lambda: What(seeds=SEEDS, first_seed=FIRST_SEED))
    where: Where = field(default_factory=lambda: Where(runs_dir=RUNS))
    """cells of other code are not this code's numbers: a folder for each by default"""
    how: How = field(default_factory=How)
    rows: tuple[str, ...] = ()
    """some rows of the tables; default: all"""
    accepted_dir: Path = FOLDER
    """where the accepted numbers are"""
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Make what is missing, then compare; a failed cell is a failed check."""
        return replace(self, where=self._of_this_code())._run()

    def _of_this_code(self) -> Where:
        if self.where.runs_dir != RUNS:
            return self.where
        own = RUNS / source_digest()
        say(f"cells of this code: {own}")
        return replace(self.where, runs_dir=own)

    def _run(self) -> int:
        refuse_by_hand(self.what, self.where)
        expansions = OfTables(self.tables, self.what, self.where, rows=self.rows).expansions()
        accepted = self._accepted(expansions)
        self._refuse_other_device(accepted)
        summary = make_cells(expansions, self.where, self.how)
        differences: list[Difference] = []
        if not summary.failed:
            differences = self._compare(expansions, accepted)
        if self.json:
            failed = {label: str(error) for label, error in summary.failed.items()}
            found = [msgspec.to_builtins(one) | {"fails": one.fails} for one in differences]
            result_json({"failed": failed, "differences": found})
        elif differences:
            result(check_markdown(differences))
        return 1 if summary.failed or any(one.fails for one in differences) else 0

    def _accepted(self, expansions: list[Expansion]) -> dict[str, list[Accepted]]:
        """The accepted numbers of every view, before anything is run for them."""
        found = {}
        for view in (view for expansion in expansions for view in expansion.views):
            path = path_of(view, self.accepted_dir)
            if not path.is_file():
                raise MissingError(
                    f"{path}: no accepted numbers of {view.name}; make them with: "
                    f"accept {view.table} --scale {view.scale} --seeds 18"
                )
            numbers = read_accepted(path)
            asked = {row.id for row in view.rows}
            found[view.name] = [n for n in numbers if not self.rows or n.row in asked]
            if not found[view.name]:
                raise MissingError(f"{path}: no accepted numbers of {', '.join(sorted(asked))}")
        return found

    def _refuse_other_device(self, accepted: dict[str, list[Accepted]]) -> None:
        here = device_class(CostMeter(self.how.machine()).provenance.device)
        for name, numbers in accepted.items():
            for number in numbers:
                if number.device != here:
                    raise UsageError(
                        f"{name}: the accepted numbers are of {number.device}, this is {here}: "
                        "not compared"
                    )

    def _compare(
        self, expansions: list[Expansion], accepted: dict[str, list[Accepted]]
    ) -> list[Difference]:
        records = load_all(self.where.runs_dir)
        numbers = sum(map(len, accepted.values()))
        try:
            return [
                one
                for expansion in expansions
                for view in expansion.views
                for one in compare(view, records, accepted[view.name], numbers)
            ]
        except RefusedError as error:
            raise UsageError(str(error)) from error
