"""Which code makes the numbers."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("naturalinversion", "baselines", "benchmarks")


def source_digest() -> str:
    """Twelve digits over every module, recipe and table that a cell is made with."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in (".py", ".toml"):
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
