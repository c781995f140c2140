"""The whole page: every number leads to the seeds it was made of, every seed to its record.

What is typed in names and records is escaped; the page's own script and style are the only ones
that may run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.machine import machines_of
from reports.page import number_format as text
from reports.page.claims_section import claims_section
from reports.page.filters import filter_index
from reports.page.pictures import once_each
from reports.page.table_section import table_section
from reports.records import Record
from reports.table_report import TableReport

#: Headings of the contents, by how a table's id begins.
GROUPS = {"table": "Tables", "figure": "Figures", "": "Comparisons"}


def render_page(
    reports: Sequence[TableReport],
    records: Mapping[str, Record],
    runs: Path,
    claims: pd.DataFrame | None = None,
) -> str:
    """The page of some tables; ``runs`` is where their pictures lie.

    ``claims`` is the ledger of `reports.claims.ledger.ledger`; ValueError if it lacks a column.
    """
    groups = list(GROUPS)
    reports = sorted(reports, key=lambda report: groups.index(_group(report)))
    tables = [report.table for report in reports]
    index = filter_index(tables, records)
    ledger = claims_section(claims, tables, records) if claims is not None else None
    linked = {key for claim in ledger.claims for _, key in claim["links"]} if ledger else set()
    used = sorted(
        (records[key] for key in index.keys() | linked), key=lambda r: (r.kind, r.label, r.key)
    )
    sections = [
        table_section(place, report, records, runs, index, ledger)
        for place, report in enumerate(reports)
    ]
    once_each([shown for section in sections for shown in section["pictures"]])
    contents: dict[str, list[dict[str, Any]]] = {title: [] for title in GROUPS.values()}
    for section, report in zip(sections, reports, strict=True):
        contents[GROUPS[_group(report)]].append(section)
    script, style = (_own(f"report.{kind}") for kind in ("js", "css"))
    values = {
        "policy": f"default-src 'none'; img-src data:; script-src {_source(script)}; "
        f"style-src {_source(style)}",
        "script": Markup(script),
        "style": Markup(style),
        "sections": sections,
        "contents": contents,
        "ledger": ledger,
        "index": index,
        "datasets": list(dict.fromkeys(table.dataset for table in tables)),
        "scales": list(dict.fromkeys(table.scale for table in tables)),
        "records": used,
        "labels": {record.key: record.label for record in used},
        "environments": _environments(used),
        "seconds": sum(record.cost.seconds for record in used),
        "newest": max((record.provenance.started for record in used), default=""),
    }
    return _environment().get_template("report.html.j2").render(values)


def _group(report: TableReport) -> str:
    return next(start for start in GROUPS if report.table.id.startswith(start))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=text.duration,
        metric=text.metric,
        json=text.pretty,
        machines=lambda record: machines_of([record]),
    )
    return environment


def _environments(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The machines and versions that the records were made with, and how many by each."""
    groups: dict[bytes, dict[str, Any]] = {}
    for record in records:
        where = msgspec.structs.replace(record.provenance, started="")
        group = groups.setdefault(
            msgspec.json.encode(where, order="sorted"), {"where": where, "count": 0}
        )
        group["count"] += 1
    return list(groups.values())


def _own(file: str) -> str:
    return (resources.files("reports.page") / "templates" / file).read_text("utf-8")


def _source(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
