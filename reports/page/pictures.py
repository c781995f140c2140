"""Pictures and figures as the page shows them: inside it, or the reason why not."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from reports.figures.draw import RenderedFigure
from reports.figures.tiles import join_tiles, read_tiles
from reports.page.filters import FilterIndex
from reports.records import NotRunError, Record, RecordError
from reports.tables.layout import Picture

GAP = 1  # pixels between tiles, of the images' own size: the page enlarges them
CSS_DPI = 120  # a quarter larger than printed: legible without zooming


def sample_picture(
    picture: Picture, records: Mapping[str, Record], runs: Path, index: FilterIndex
) -> dict[str, Any]:
    """Sample images of a method as a data URI, or the reason why they cannot be shown."""
    record = records.get(picture.record)
    tags = index.attributes(picture.record)
    shown = {"picture": picture, "record": record, "filterable": tags, "uri": "", "reason": ""}
    try:
        if record is None:
            raise NotRunError("not run")
        tiles = read_tiles(record, picture.file, runs)
    except RecordError as error:
        return {**shown, "reason": str(error).replace(f"{runs}/", "")}
    file = io.BytesIO()
    Image.fromarray(join_tiles(tiles, GAP)).save(file, "PNG")
    return {**shown, "uri": _uri(file.getvalue())}


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


def figure_picture(figure: RenderedFigure) -> dict[str, Any]:
    """A drawn figure as a data URI with its size in CSS pixels, or the reason why there is none."""
    shown = {"figure": figure.spec, "files": list(figure.files), "reason": figure.reason, "uri": ""}
    if not figure.png:
        return shown
    from reports.figures.style import DPI  # loaded already: the figure was drawn

    width, height = (side * CSS_DPI // DPI for side in struct.unpack(">II", figure.png[16:24]))
    return {**shown, "uri": _uri(figure.png), "width": width, "height": height}


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
