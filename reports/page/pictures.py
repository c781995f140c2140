"""Pictures and figures as the page shows them: inside it, or the reason why not."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.figures.drawn import Missing
from reports.figures.plates import FORMATS, Plate
from reports.page.filters import Uses
from reports.page.sources import sources_of
from reports.records import Record, folder_of
from reports.tables.layout import Picture

PNG = b"\x89PNG\r\n\x1a\n"
CSS_DPI = 120  # a quarter larger than printed: legible without zooming


def picture_of(
    picture: Picture, records: Mapping[str, Record], runs: Path, uses: Uses
) -> dict[str, Any]:
    """A cell's own picture as a data URI, or the reason why it cannot be shown."""
    record = records.get(picture.record)
    attributes = uses.attributes(picture.record)
    shown = {"picture": picture, "record": record, "filterable": attributes, "uri": ""}
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
    return {**shown, "uri": _uri(data)}


def once_each(shown: list[dict[str, Any]]) -> None:
    """Keep each picture's data once: the first has an ``anchor``, later ones name it as ``same``.

    The tables share most of their pictures, and a page of all is a third smaller so.
    """
    anchors: dict[str, str] = {}
    for one in shown:
        known = anchors.get(one["uri"], "")
        one["anchor"] = "" if known or not one["uri"] else f"picture-{len(anchors) + 1}"
        one["same"] = known
        if one["anchor"]:
            anchors[one["uri"]] = one["anchor"]


def plate_of(plate: Plate, records: Mapping[str, Record]) -> dict[str, Any]:
    """A drawn figure as a data URI with its size in CSS pixels, and the records it is made of."""
    sources = sources_of(plate.figure)
    shown = {
        "figure": plate.figure,
        "files": [f"{plate.stem}.{kind}" for kind in FORMATS],
        "sources": [(label, key) for label, key in sources if key in records],
        "planned": len({key for _, key in sources}),
        "uri": "",
    }
    if isinstance(plate.drawn, Missing):
        return {**shown, "reason": plate.drawn.reason}
    from reports.figures.style import DPI  # loaded already: the figure was drawn

    width, height = (side * CSS_DPI // DPI for side in struct.unpack(">II", plate.drawn.png[16:24]))
    return {**shown, "uri": _uri(plate.drawn.png), "width": width, "height": height}


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
