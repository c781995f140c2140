"""What the paper published: 190 numbers, each with an id, and what a reader should know of them.

Numbers that others published of their own methods lie apart (`peers`): no claims of the paper.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import msgspec

FOLDER, PEERS = "paper", "peers"


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
    source: str = ""  # of a number that is not the paper's

    @property
    def id(self) -> str:
        """Names the number in tables and in the claims ledger."""
        return claim_id(
            self.table, self.dataset, self.teacher, self.student, self.method, self.metric
        )


class PaperNotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``noise`` of a metric from one of the paper's runs to the next, the notes by name, and by
    that of a note the variant of their method's recipe that its numbers were made with.
    """

    noise: dict[str, float]
    variants: dict[str, str]
    notes: dict[str, str]


def claim_id(table: str, dataset: str, teacher: str, student: str, method: str, metric: str) -> str:
    """``table5/cifar10/resnet34/resnet18/ni/test_accuracy``; a field without a value is ``-``."""
    return "/".join(part or "-" for part in (table, dataset, teacher, student, method, metric))


@cache
def published() -> dict[str, Published]:
    """Every published number by id, in the paper's order."""
    return _read(FOLDER)


@cache
def peers() -> dict[str, Published]:
    """Every number of other methods, as their READMEs give them, by id."""
    return _read(PEERS)


def find_published(claim: str) -> Published | None:
    """The number with this id, the paper's or a peer's."""
    return published().get(claim) or peers().get(claim)


@cache
def notes() -> dict[str, str]:
    """Notes by name, the paper's first."""
    text = (resources.files("reports") / PEERS / "notes.toml").read_bytes()
    return paper_notes().notes | msgspec.toml.decode(text, type=dict[str, dict[str, str]])["notes"]


def _read(folder: str) -> dict[str, Published]:
    text = (resources.files("reports") / folder / "values.csv").read_text("utf-8")
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
    """Noise, variants and notes."""
    text = (resources.files("reports") / FOLDER / "notes.toml").read_bytes()
    return msgspec.toml.decode(text, type=PaperNotes)
