"""Which tables and methods need a record, so that the page's filters can hide the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from reports.page.sources import sources_of
from reports.records import Record
from reports.tables.layout import View


@dataclass
class Use:
    """Tables and methods that need one record; ``shared`` if a number of no method does."""

    sections: set[int] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    shared: bool = False


class Uses(dict[str, Use]):
    """Every record of the page by key, with its use; ``methods`` are the page's, in order."""

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__()
        self.methods = list(methods)

    def numbers(self, names: Iterable[str]) -> str:
        """``0 3``: the places of methods among the page's, which its filters go by."""
        return " ".join(map(str, sorted(self.methods.index(name) for name in names)))

    def attributes(self, key: str) -> Markup:
        """What the filters read: shown with any of ``data-any`` in any table of ``data-in``."""
        use = self.get(key, Use(shared=True))
        methods = "" if use.shared else self.numbers(use.methods)
        sections = " ".join(map(str, sorted(use.sections)))
        return Markup('data-any="{}" data-in="{}"').format(methods, sections)


def uses_of(views: Sequence[View], records: Mapping[str, Record]) -> Uses:
    """Every record that a view names, or that one of those was made from."""
    # The methods of the widest table first: the paper's own order.
    widest = sorted(views, key=lambda view: -len(methods_of(view)))
    uses = Uses(list(dict.fromkeys(name for view in widest for name in methods_of(view))))
    for section, view in enumerate(views):
        for methods, keys in _named(view):
            for key in _with_inputs(keys, records):
                use = uses.setdefault(key, Use())
                use.sections.add(section)
                use.methods |= methods
                use.shared |= not methods
        pictured = [picture.record for picture in view.pictures]
        drawn = [key for figure in view.figures for _, key in sources_of(figure)]
        for key in _with_inputs([*pictured, *drawn], records):
            uses.setdefault(key, Use()).sections.add(section)
    return uses


def methods_of(view: View) -> list[str]:
    """The methods that columns or rows of the view belong to, in order."""
    named = [*(column.method for column in view.columns), *(row.method for row in view.rows)]
    return list(dict.fromkeys(method for method in named if method))


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
