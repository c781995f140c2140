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

from reports.machine import machine_name
from reports.page import number_format as text
from reports.page.claims_section import ledger_of
from reports.page.filters import uses_of
from reports.page.pictures import once_each
from reports.page.table_section import section_of
from reports.records import Record
from reports.table_report import Sheet

GROUPS = {"table": "Tables", "figure": "Figures", "": "Comparisons"}  # by how a view's table begins


def render_page(
    sheets: Sequence[Sheet],
    records: Mapping[str, Record],
    runs: Path,
    claims: pd.DataFrame | None = None,
) -> str:
    """The page of some views; ``runs`` is where their pictures lie.

    ``claims`` is the ledger of `reports.claims.ledger.ledger`; ValueError if it lacks a column.
    """
    groups = list(GROUPS)
    sheets = sorted(sheets, key=lambda sheet: groups.index(_group(sheet)))
    views = [sheet.view for sheet in sheets]
    uses = uses_of(views, records)
    ledger = ledger_of(claims, views, records) if claims is not None else None
    linked = {key for claim in ledger.claims for _, key in claim["links"]} if ledger else set()
    used = sorted(
        (records[key] for key in uses.keys() | linked), key=lambda r: (r.kind, r.label, r.key)
    )
    sections = [
        section_of(place, sheet, records, runs, uses, ledger) for place, sheet in enumerate(sheets)
    ]
    once_each([shown for section in sections for shown in section["pictures"]])
    contents: dict[str, list[dict[str, Any]]] = {title: [] for title in GROUPS.values()}
    for section, sheet in zip(sections, sheets, strict=True):
        contents[GROUPS[_group(sheet)]].append(section)
    script, style = (_own(f"report.{kind}") for kind in ("js", "css"))
    values = {
        "policy": f"default-src 'none'; img-src data:; script-src {_source(script)}; "
        f"style-src {_source(style)}",
        "script": Markup(script),
        "style": Markup(style),
        "sections": sections,
        "contents": contents,
        "ledger": ledger,
        "uses": uses,
        "datasets": list(dict.fromkeys(view.dataset for view in views)),
        "scales": list(dict.fromkeys(view.scale for view in views)),
        "records": used,
        "labels": {record.key: record.label for record in used},
        "environments": _environments(used),
        "seconds": sum(record.cost.seconds for record in used),
        "newest": max((record.provenance.started for record in used), default=""),
    }
    return _environment().get_template("report.html.j2").render(values)


def _group(sheet: Sheet) -> str:
    return next(start for start in GROUPS if sheet.view.table.startswith(start))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=text.duration, metric=text.metric, json=text.pretty, machine=machine_name
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
