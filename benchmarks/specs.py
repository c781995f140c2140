"""Table specs: what a table of the paper is made of and what it published, read from TOML."""

from pathlib import Path

import msgspec

from benchmarks.errors import UsageError

FOLDER = Path(__file__).parent / "tables"


class RowSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row; ``published`` and ``notes`` go by column, ``notes`` to a footnote's name."""

    dataset: str
    teacher: str
    student: str
    published: dict[str, float]
    reimplemented: list[str] = []
    notes: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What ``--rows`` calls it."""
        return f"{self.teacher}-{self.student}"


class TableSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table; accuracies are in percent, as printed."""

    name: str
    title: str
    caption: str
    metric: str
    unit: str
    higher_is_better: bool
    methods: list[str]
    row: list[RowSpec]
    footnotes: dict[str, str] = {}


def tables() -> list[str]:
    """The names of the tables there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_table(name: str) -> TableSpec:
    """The spec of table ``name``. Raises `UsageError` when there is none or it is malformed."""
    path = FOLDER / f"{name}.toml"
    if name not in tables():
        raise UsageError(f"unknown table '{name}': one of {', '.join(tables())}")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=TableSpec)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}") from error
