"""``claims``: every number that the paper published, beside what was measured of it here."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pandas as pd

from benchmarks.errors import UsageError
from benchmarks.options import Where
from benchmarks.output import result, result_json, say
from benchmarks.recipes import Book
from benchmarks.specs import read_table
from reports.claims import ledger
from reports.claims_text import claims_markdown
from reports.published import claim_id
from reports.records import load_all, write_atomically
from reports.views import read


@dataclass(frozen=True)
class Claims:
    """Say of every published number whether it was measured, and whether the two agree."""

    where: Where = field(default_factory=Where)
    json: bool = False
    """print the ledger as JSON"""

    def run(self) -> int:
        """Write ``claims.csv`` and ``claims.md``, and print the latter; nothing is run."""
        paths = sorted((self.where.runs_dir / "views").glob("*.json"))
        views, records = [read(path) for path in paths], load_all(self.where.runs_dir)
        frame = ledger(views, records, protocol_values())
        markdown = claims_markdown(frame)
        self._write("claims.csv", frame.to_csv(index=False, lineterminator="\n"))
        self._write("claims.md", markdown)
        if self.json:
            result_json(_plain(frame))
        else:
            result(markdown)
        say(f"ledger: {self.where.out_dir / 'claims.csv'}")
        return 0

    def _write(self, name: str, text: str) -> None:
        path: Path = self.where.out_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())


def protocol_values() -> dict[str, float]:
    """The settings that the paper's text names, as the recipes of scale paper have them, by id."""
    book = Book("paper", "cifar10")
    protocol, ni = book.protocol("resnet34"), book.method("ni", "resnet34")
    specs = {name: read_table(name) for name in ("table1", "table3", "table4", "figure6")}
    images = {name: float(spec.all.images) for name, spec in specs.items()}
    ratios = [row.ratio for row in specs["figure6"].row]
    values = {
        "images_KD_and_scratch": ni.images,
        "images_table1_and_table3": _one("tables 1 and 3", images["table1"], images["table3"]),
        "images_table4_and_tsne": _one(
            "table 4 and the embedding", images["table4"], protocol.embedding.images
        ),
        "scratch_batch": protocol.scratch.batch_size,
        "scratch_epochs": protocol.scratch.epochs,
        "scratch_sgd_lr": protocol.scratch.lr,
        "pruning_finetune_epochs": protocol.pruning.training.epochs,
        "pruning_finetune_sgd_lr": protocol.pruning.training.lr,
        "pruning_ratio_min": min(ratios),
        "pruning_ratio_max": max(ratios),
        "inversion_iters_cifar10_fig5": ni.settings["iterations"],
    }
    return {
        claim_id("text", "", "", "", "protocol", name): float(value)
        for name, value in values.items()
    }


def _one(what: str, *values: float) -> float:
    """The number that the paper gives once for both."""
    if len(set(values)) > 1:
        raise UsageError(f"{what} share a number of images in the paper, not here: {values}")
    return values[0]


def _plain(frame: pd.DataFrame) -> object:
    """The rows as JSON has them, with null for what isn't there."""
    return msgspec.json.decode(frame.to_json(orient="records"))
