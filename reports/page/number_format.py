"""How the page writes durations, metrics, p-values and recipes."""

from __future__ import annotations

import html

import msgspec
from markupsafe import Markup


def duration(seconds: float) -> str:
    """``8.4 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def metric(value: object) -> str:
    """A record's metric in six digits; of a list its length and last value."""
    if isinstance(value, list):
        return f"{len(value)} values, last {value[-1]:.6g}" if value else "no values"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def p_value(p: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def pretty(value: object) -> Markup:
    """JSON with sorted keys, a line each, escaped for an element's text (not for an attribute)."""
    text = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode()
    # Quotes stay as they are: a page holds thousands of recipes.
    return Markup(html.escape(text, quote=False))
