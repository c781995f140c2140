"""The whole page: every number leads to the seeds it was made of, every seed to its record.

What is typed in names and records is escaped; the page's own script and style are the only ones
that may run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.page import text
from reports.page.ledger import ledger_of
from reports.page.section import methods_of, section_of
from reports.page.uses import uses_of
from reports.records import Record
from reports.sheet import Sheet

GROUPS = ("Tables", "Figures", "Comparisons")


def render_page(
    sheets: Sequence[Sheet],
    records: Mapping[str, Record],
    runs: Path,
    claims: pd.DataFrame | None = None,
) -> str:
    """The page of some views; ``runs`` is where their pictures lie, ``claims`` the ledger.

    ``claims`` has the columns that `reports.page.ledger.COLUMNS` names. Raises ValueError if one
    is missing.
    """
    sheets = sorted(sheets, key=_place)
    views = [sheet.view for sheet in sheets]
    names = [f"{_slug(view.name)}-{index}" for index, view in enumerate(views, start=1)]
    uses = uses_of(dict(zip(names, views, strict=True)), records)
    ledger = ledger_of(claims, views, records) if claims is not None else None
    linked = {key for claim in ledger.claims for _, key in claim["links"]} if ledger else set()
    used = sorted(
        (records[key] for key in uses.keys() | linked), key=lambda r: (r.kind, r.label, r.key)
    )
    script, style = (_own(f"report.{kind}") for kind in ("js", "css"))
    sections = [
        section_of(name, sheet, records, runs, uses, ledger)
        for name, sheet in zip(names, sheets, strict=True)
    ]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            policy=f"default-src 'none'; img-src data:; script-src {_source(script)}; "
            f"style-src {_source(style)}",
            script=Markup(script),
            style=Markup(style),
            sections=sections,
            contents={
                title: [
                    section
                    for section, sheet in zip(sections, sheets, strict=True)
                    if kind == _place(sheet)
                ]
                for kind, title in enumerate(GROUPS)
            },
            ledger=ledger,
            methods=_unique(method for view in views for method in methods_of(view)),
            datasets=_unique(view.dataset for view in views),
            scales=_unique(view.scale for view in views),
            records=used,
            labels={record.key: record.label for record in used},
            filterable={record.key: uses.attributes(record.key) for record in used},
            environments=_environments(used),
            seconds=sum(record.cost.seconds for record in used),
            newest=max((record.provenance.started for record in used), default=""),
        )
    )


def _place(sheet: Sheet) -> int:
    """The group of `GROUPS` in which a reader looks for a view."""
    kinds = ("table", "figure")
    return next(
        (i for i, kind in enumerate(kinds) if sheet.view.table.startswith(kind)), len(kinds)
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=text.duration, metric=text.metric, json=text.pretty, list_json=text.compact
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


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _own(file: str) -> str:
    return (resources.files("reports") / "templates" / file).read_text("utf-8")


def _source(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
