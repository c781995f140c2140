"""A table that is too wide for a page as blocks of columns beneath each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

import pandas as pd

from reports.tables.layout import Column, Table

WIDEST = 12  # columns of numbers side by side


def cut_to_blocks(table: Table, wide: pd.DataFrame) -> list[tuple[pd.DataFrame, str]]:
    """The printed table cut to blocks of columns, and how their columns are aligned.

    The labels stand before each of them.
    """
    texts = len(table.rows[0].labels) + 1
    return [
        (
            wide.iloc[:, [*range(texts), *(texts + place for place in places)]],
            "l" * texts + "r" * len(places),
        )
        for places in _places(table.columns)
    ]


def _places(columns: Sequence[Column]) -> list[list[int]]:
    """Places of ``columns``, in order, at most `WIDEST` in a block.

    A block is whole groups, as many as fit; a group that does not fit has blocks of its own, as
    equal as can be.
    """
    blocks: list[list[int]] = []
    for _, group in groupby(range(len(columns)), key=lambda place: columns[place].group):
        for part in _even_parts(list(group)):
            if blocks and len(blocks[-1]) + len(part) <= WIDEST:
                blocks[-1] += part
            else:
                blocks.append(part)
    return blocks


def _even_parts(places: list[int]) -> list[list[int]]:
    count = -(-len(places) // WIDEST)
    cuts = [len(places) * part // count for part in range(count + 1)]
    return [places[start:end] for start, end in pairwise(cuts)]
