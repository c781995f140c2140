"""Which tables and methods need a record, so that the page's filters can hide the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from reports.page.sources import sources_of
from reports.page.text import compact
from reports.records import Record
from reports.views import View


@dataclass
class Use:
    """Tables and methods that need one record; ``shared`` if a number of no method does."""

    sections: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    shared: bool = False


class Uses(dict[str, Use]):
    """Every record of the page by key, with its use."""

    def attributes(self, key: str) -> Markup:
        """What the page's filters read: ``data-any`` methods of ``data-sections``."""
        use = self.get(key, Use(shared=True))
        methods = [] if use.shared else sorted(use.methods)
        sections = sorted(use.sections) or None
        return Markup('data-any="{}" data-sections="{}"').format(
            compact(methods), compact(sections)
        )


def uses_of(views: Mapping[str, View], records: Mapping[str, Record]) -> Uses:
    """Every record that a view names, or that one of those was made from."""
    uses = Uses()
    for name, view in views.items():
        for methods, keys in _named(view):
            for key in _with_inputs(keys, records):
                use = uses.setdefault(key, Use())
                use.sections.add(name)
                use.methods |= methods
                use.shared |= not methods
        pictured = [picture.record for picture in view.pictures]
        drawn = [key for figure in view.figures for _, key in sources_of(figure)]
        for key in _with_inputs([*pictured, *drawn], records):
            uses.setdefault(key, Use()).sections.add(name)
    return uses


def _named(view: View) -> Iterable[tuple[set[str], list[str]]]:
    """The keys of every number, with the methods it belongs to."""
    for row in view.rows:
        for column in view.columns:
            if cell := row.cells.get(column.id):
                yield {column.method, row.method} - {""}, cell.records


def _with_inputs(keys: Iterable[str], records: Mapping[str, Record]) -> set[str]:
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key in records and key not in found:
            found.add(key)
            waiting.extend(records[key].inputs.values())
    return found
