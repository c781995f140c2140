"""Of what kind a file of weights is, by its content: its name may say otherwise."""

from pathlib import Path
from zipfile import ZipFile, is_zipfile

PICKLE = b"\x80"  # the first byte of a pickle, which torch.save wrote before it wrote zip archives
ZIP = b"PK"


def is_safetensors(path: Path) -> bool:
    """Whether a header in JSON begins after eight bytes, its length."""
    return _begin(path)[8:] == b"{"


def is_of_torch_save(path: Path) -> bool:
    """Whether it is a zip archive or a pickle."""
    return _begin(path).startswith((PICKLE, ZIP))


def is_cut_off(path: Path) -> bool:
    """Whether it begins as a zip archive and lacks its end, as what was copied in part does."""
    return _begin(path).startswith(ZIP) and not is_zipfile(path)


def is_torchscript(path: Path) -> bool:
    """Whether it is an archive of torch.jit.save, which holds a network's code."""
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return any(name.partition("/")[2] == "constants.pkl" for name in archive.namelist())


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(9)
