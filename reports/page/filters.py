"""Which tables and methods need a record, so that the page's filters can hide the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from reports.records import Record, lineage
from reports.tables.layout import Table


@dataclass
class FilterTags:
    """Tables and methods that need one record; ``shared`` if a number of no method does."""

    sections: set[int] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    shared: bool = False


class FilterIndex(dict[str, FilterTags]):
    """Every record of the page by key, with its tags; ``methods`` are the page's, in order."""

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__()
        self.methods = list(methods)

    def numbers(self, names: Iterable[str]) -> str:
        """``0 3``: the places of methods among the page's, which its filters go by."""
        return " ".join(map(str, sorted(self.methods.index(name) for name in names)))

    def attributes(self, key: str) -> Markup:
        """What the filters read: shown with any of ``data-any`` in any table of ``data-in``."""
        tags = self.get(key, FilterTags(shared=True))
        methods = "" if tags.shared else self.numbers(tags.methods)
        sections = " ".join(map(str, sorted(tags.sections)))
        return Markup('data-any="{}" data-in="{}"').format(methods, sections)


def filter_index(tables: Sequence[Table], records: Mapping[str, Record]) -> FilterIndex:
    """Every record that a table names, or that one of those was made from."""
    # The methods of the widest table first: the paper's own order.
    widest = sorted(tables, key=lambda table: -len(methods_of(table)))
    index = FilterIndex(list(dict.fromkeys(name for table in widest for name in methods_of(table))))
    for section, table in enumerate(tables):
        for row in table.rows:
            for column in table.columns:
                methods = {column.method, row.method} - {""}
                for record in lineage(table.cell(row, column).records, records):
                    tags = index.setdefault(record.key, FilterTags())
                    tags.sections.add(section)
                    tags.methods |= methods
                    tags.shared |= not methods
        for record in lineage([picture.record for picture in table.pictures], records):
            index.setdefault(record.key, FilterTags()).sections.add(section)
    return index


def methods_of(table: Table) -> list[str]:
    """The methods that columns or rows of the table belong to, in order."""
    named = [*(column.method for column in table.columns), *(row.method for row in table.rows)]
    return list(dict.fromkeys(method for method in named if method))
