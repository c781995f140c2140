"""What the tests look for in a page."""

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from reports.page import render_page
from reports.records import Record
from reports.report import write_report
from reports.table_report import make_table_report
from reports.tables.layout import Table


class Page(HTMLParser):
    """What the tests look for in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def rendered(runs: Path) -> str:
    return write_report(runs, runs.parent / "out").page.read_text()


def page_of(
    table: Table,
    records: Mapping[str, Record],
    runs: Path,
    claims: pd.DataFrame | None = None,
) -> str:
    return render_page([make_table_report(table, records, runs)], records, runs, claims)


def shown_text(html: str) -> str:
    """What stands in the page's main part."""
    return Page(html.split("<main")[1]).text
