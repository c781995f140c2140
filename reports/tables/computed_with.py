"""What numbers were computed with: devices, versions of PyTorch, commits, and teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from reports.machine import devices_of
from reports.records import Record, computed_for
from reports.tables.image_seconds import TEACHER


def computed_with(keys: Sequence[str], records: Mapping[str, Record]) -> dict[str, tuple[str, ...]]:
    """Of all records that a number rests on, each once: classes of device with their precisions
    (``computed_on``), versions of PyTorch (``torch``), ``commits``, and the keys of its
    ``teachers``. Classifiers that came ready are left out of the first three.
    """
    found = computed_for(keys, records)
    provenances = [record.provenance for record in found]
    torch = {where.versions["torch"] for where in provenances if "torch" in where.versions}
    return {
        "computed_on": tuple(devices_of(found)),
        "torch": tuple(sorted(torch)),
        "commits": tuple(sorted({where.commit for where in provenances})),
        "teachers": tuple(sorted({r.inputs[TEACHER] for r in found if TEACHER in r.inputs})),
    }


def about_computing(frame: pd.DataFrame) -> list[str]:
    """What a reader must know of it, a sentence each; nothing where all is alike."""
    devices, versions, commits = (_all(frame, name) for name in ("computed_on", "torch", "commits"))
    notes = []
    if max(len(devices), len(versions), len(commits)) > 1:
        torch = f" with PyTorch {_listed(versions)}" if versions else ""
        by = f"{len(commits)} commits" if len(commits) > 1 else "one commit"
        notes.append(
            f"Numbers of this table were computed on {_listed(devices)}{torch} by {by} of this "
            "repository."
        )
    shared = frame[(frame["n"] > 1) & frame["teachers"].map(bool)]
    if len(shared) and shared["teachers"].map(len).eq(1).all():
        seeds = "seeds" if len(_all(shared, "teachers")) == 1 else "seeds of a number"
        notes.append(f"All {seeds} share one teacher: ± and tests say nothing of other teachers.")
    return notes


def _all(frame: pd.DataFrame, name: str) -> list[str]:
    return sorted({one for several in frame[name] for one in several})


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
