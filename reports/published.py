"""What the paper published: 190 numbers, each with an id, and what a reader should know of them."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import msgspec

FOLDER = "paper"


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number as printed: accuracies in percent; ``images`` synthetic images it was made with.

    ``note`` is a key of `PaperNotes.notes`. Empty fields do not apply.
    """

    table: str
    dataset: str
    teacher: str
    student: str
    method: str
    metric: str
    images: int | None
    value: float
    unit: str
    reimplemented: bool
    note: str

    @property
    def id(self) -> str:
        """Names the number in tables and in the claims ledger."""
        return claim_id(
            self.table, self.dataset, self.teacher, self.student, self.method, self.metric
        )


class PaperNotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``noise`` of a metric from one of the paper's runs to the next, and the notes by name."""

    noise: dict[str, float]
    notes: dict[str, str]


def claim_id(table: str, dataset: str, teacher: str, student: str, method: str, metric: str) -> str:
    """``table5/cifar10/resnet34/resnet18/ni/test_accuracy``; a field without a value is ``-``."""
    return "/".join(part or "-" for part in (table, dataset, teacher, student, method, metric))


@cache
def published() -> dict[str, Published]:
    """Every published number by id, in the paper's order."""
    text = (resources.files("reports") / FOLDER / "values.csv").read_text("utf-8")
    found = {}
    for line in csv.DictReader(text.splitlines()):
        values = {
            **line,
            "images": int(line["images"]) if line["images"] else None,
            "value": float(line["value"]),
            "reimplemented": line["reimplemented"] == "yes",
        }
        number = msgspec.convert(values, Published)
        found[number.id] = number
    return found


@cache
def paper_notes() -> PaperNotes:
    """Noise and notes."""
    text = (resources.files("reports") / FOLDER / "notes.toml").read_bytes()
    return msgspec.toml.decode(text, type=PaperNotes)
