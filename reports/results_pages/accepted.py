"""A file of accepted numbers, as the templates of pages see it."""

from __future__ import annotations

from pathlib import Path

from reports.records import RecordError
from reports.regression.accepted import Accepted
from reports.regression.accepted_file import read as read_accepted
from reports.results_pages.values import check_known, difference_by_seed, with_sd


class AcceptedNumbers:
    """A file of accepted numbers, as the template sees it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._numbers = {(one.row, one.column): one for one in read_accepted(file)}

    def value(self, row: str, column: str) -> str:
        """The mean, with its standard deviation."""
        found = self._number(row, column)
        return with_sd(found.mean, found.sd)

    def row_difference(self, column: str, one: str, other: str) -> str:
        """How much more the first row has than the other: `difference_by_seed`."""
        numbers = (self._number(row, column) for row in (one, other))
        first, second = (number.by_seed for number in numbers)
        return difference_by_seed(first, second, f"{self.file}: {one} and {other}")

    def spread(self, row: str, column: str) -> str:
        """The standard deviation over seeds, in percent of the mean."""
        found = self._number(row, column)
        return f"{100 * found.sd / found.mean:.2g}"

    def rounding(self, row: str, column: str) -> str:
        """The same of one seed over machines; RecordError if it has no second values."""
        found = self._number(row, column)
        if not found.again:
            raise RecordError(f"{self.file}: {row} {column} has no second values")
        return f"{100 * found.rounding / found.mean:.2g}"

    def _number(self, row: str, column: str) -> Accepted:
        there = [" ".join(place) for place in self._numbers]
        check_known(f"{row} {column}", there, f"{self.file}: no number")
        return self._numbers[row, column]
