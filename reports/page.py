"""The report as one HTML file that needs nothing else: no server, no network, no other file.

Every number leads to the seeds it was made of, and every seed to its record. What is typed in
names and records is escaped; the page's own script and style are the only ones that may run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import typeset
from reports.records import Record, folder_of
from reports.tables import tidy
from reports.views import Picture, View

PNG = b"\x89PNG\r\n\x1a\n"
MARK_WORDS = {"best": "best", "second": "second best", "tied": "level with the best", "": ""}


@dataclass
class Use:
    """Which tables and methods of the page need a record; ``shared`` if a baseline column does."""

    sections: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    shared: bool = False


def render_page(views: Sequence[View], records: Mapping[str, Record], runs: Path) -> str:
    """The whole page; ``runs`` is where the pictures lie. RecordError as in ``tidy``."""
    names = [f"{_slug(view.name)}-{index}" for index, view in enumerate(views, start=1)]
    uses = _uses(dict(zip(names, views, strict=True)), records)
    used = sorted((records[key] for key in uses), key=lambda r: (r.kind, r.label, r.key))
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, metric=_metric, json=_json)
    script, style = (_own(f"report.{kind}") for kind in ("js", "css"))
    return environment.get_template("report.html.j2").render(
        policy=f"default-src 'none'; img-src data:; script-src {_source(script)}; "
        f"style-src {_source(style)}",
        script=Markup(script),
        style=Markup(style),
        sections=[
            _section(name, view, records, runs, uses)
            for name, view in zip(names, views, strict=True)
        ],
        methods=_unique(c.title for view in views for c in view.columns if c.role == "method"),
        datasets=_unique(view.dataset for view in views),
        scales=_unique(view.scale for view in views),
        records=used,
        labels={record.key: record.label for record in used},
        filterable={key: _filterable(use) for key, use in uses.items()},
        environments=_environments(used),
        seconds=sum(record.cost.seconds for record in used),
        newest=max((record.provenance.started for record in used), default=""),
    )


def duration(seconds: float) -> str:
    """``8.4 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _section(
    name: str,
    view: View,
    records: Mapping[str, Record],
    runs: Path,
    uses: Mapping[str, Use],
) -> dict[str, Any]:
    frame = tidy(view, records)
    places = typeset.decimals(frame)
    lines = typeset.lines_of(frame)
    columns = {column.id: column for column in view.columns}
    numbers: list[dict[str, Any]] = []
    labels = list(view.rows[0].labels)
    for index, line in enumerate(lines):
        head = ", ".join([columns[line["column"]].title, *(line[label] for label in labels)])
        numbers.append(_number(f"{name}-n{index}", view, head, line, places))
    width = len(view.columns)
    about_published = typeset.about_published(view)
    return {
        "name": name,
        "view": view,
        "notes": [note for note in typeset.notes(view, frame) if note != about_published],
        "about_published": about_published,
        "footnotes": {typeset.letter(view, key): text for key, text in view.footnotes.items()},
        "rows": [
            {"labels": row.labels, "numbers": numbers[index * width : (index + 1) * width]}
            for index, row in enumerate(view.rows)
        ],
        "measured": sum(1 for line in lines if line["n"]),
        "planned": sum(1 for line in lines if line["planned"]),
        "pictures": [_picture(picture, records, runs, uses) for picture in view.pictures],
    }


def _number(anchor: str, view: View, head: str, line: typeset.Line, places: int) -> dict[str, Any]:
    """A line of the long form with the texts and links that the page shows for it."""
    interval = ""
    if not typeset.missing(line["ci_low"]):
        low, high = (typeset.number(line[name], places) for name in ("ci_low", "ci_high"))
        interval = f"{low} to {high}"
    runs = [
        (seed, typeset.number(value, places), key)
        for seed, value, key in zip(line["seeds"], line["values"], line["records"], strict=True)
    ]
    published = typeset.number(line["published"], places)
    star = "*" if line["reimplemented"] and published != typeset.NOT_RUN else ""
    tip = [head, *(f"seed {seed}: {text}" for seed, text, _ in runs)]
    if interval:
        tip.append(f"95 % interval: {interval}")
    elif line["n"] == 1:
        tip.append("one run: noise not known")
    tip.append(f"published ({view.published_dataset}): {published}{star}")
    return {
        **line,
        "anchor": anchor,
        "runs": runs,
        "interval": interval,
        "mean_text": typeset.number(line["mean"], places),
        "sd_text": typeset.number(line["sd"], places) if line["n"] > 1 else "",
        "published_text": published + star,
        "letter": typeset.letter(view, line["footnote"]) if line["footnote"] else "",
        "difference_text": f"{line['difference']:+.{places}f}"
        if not typeset.missing(line["difference"])
        else "",
        "mark_words": MARK_WORDS[line["mark"]],
        "tip": "\n".join(tip),
    }


def _picture(
    picture: Picture, records: Mapping[str, Record], runs: Path, uses: Mapping[str, Use]
) -> dict[str, Any]:
    """A picture as a data URI, or the reason why it cannot be shown."""
    record = records.get(picture.record)
    use = uses.get(picture.record, Use())
    shown = {"picture": picture, "record": record, "filterable": _filterable(use), "uri": ""}
    if record is None:
        return {**shown, "reason": "not run"}
    try:
        data = (folder_of(runs, record) / picture.file).read_bytes()
    except OSError as error:
        return {**shown, "reason": f"{picture.file}: {error.strerror}"}
    sealed = record.artefacts.get(picture.file, "")
    if sealed and hashlib.sha256(data).hexdigest() != sealed:
        return {**shown, "reason": f"{picture.file} is not the file its record names"}
    if not data.startswith(PNG):
        return {**shown, "reason": f"{picture.file} is not a PNG"}
    return {**shown, "uri": "data:image/png;base64," + base64.b64encode(data).decode()}


def _uses(views: Mapping[str, View], records: Mapping[str, Record]) -> dict[str, Use]:
    """Every record that a view names, or that one of those was made from."""
    uses: dict[str, Use] = {}
    for name, view in views.items():
        for column in view.columns:
            named = [key for row in view.rows for key in _keys(row.cells, column.id)]
            for key in _with_inputs(named, records):
                use = uses.setdefault(key, Use())
                use.sections.add(name)
                use.shared |= column.role == "baseline"
                use.methods.add(column.title)
        for key in _with_inputs([picture.record for picture in view.pictures], records):
            uses.setdefault(key, Use()).sections.add(name)
    return uses


def _filterable(use: Use) -> Markup:
    """Attributes by which the page's filters find what a record belongs to."""
    methods = [] if use.shared else sorted(use.methods)
    return Markup('data-methods="{}" data-sections="{}"').format(
        msgspec.json.encode(methods).decode(), msgspec.json.encode(sorted(use.sections)).decode()
    )


def _keys(cells: Mapping[str, Any], column: str) -> list[str]:
    return list(cells[column].records) if column in cells else []


def _with_inputs(keys: Iterable[str], records: Mapping[str, Record]) -> set[str]:
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key in records and key not in found:
            found.add(key)
            waiting.extend(records[key].inputs.values())
    return found


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


def _metric(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)} values, last {value[-1]:.6g}" if value else "no values"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode()


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _own(file: str) -> str:
    return (resources.files("reports") / "templates" / file).read_text("utf-8")


def _source(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
