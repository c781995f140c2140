"""meta.json beside the shards: which run made the images, from which teacher."""

from pathlib import Path
from typing import Any

import msgspec

from naturalinversion.errors import SettingError, StoreError
from naturalinversion.files import write_atomically

META = "meta.json"
IMAGES = "images"  # subfolder of the store, where a run has other files as well


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which method made the shards, from which teacher, with which settings and seed.

    ``version`` is the library's that began the store. ``source``, ``precision``, ``stages``,
    ``logits`` and what is of the student are None where an earlier one wrote it. ``agreed`` is the
    number of images, per batch, that the teacher gives the label they are stored with.
    """

    method: str
    teacher: str  # fingerprint
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    batch_size: int
    batches: int
    settings: dict[str, Any] = {}
    first: int = 0  # number of the first batch: a large set may lie in several folders
    source: str | None = None  # sha256 of a method from outside
    student: str | None = None  # sha256 of the weights of the student that takes part
    student_logits: tuple[float, ...] | None = None  # as those of the teacher
    student_frozen: str | None = None  # sha256 of the names of a joint student's frozen weights
    precision: str | None = None
    stages: tuple[str, ...] | None = None  # of the teacher
    logits: tuple[float, ...] | None = None  # of the teacher, for noise
    agreed: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()  # that images were asked of; all, where empty
    version: str | None = None


def read_meta(folder: Path) -> Meta:
    """The folder's meta.json. Raises `StoreError` when there is none or it can't be read."""
    path = Path(folder) / META
    try:
        return msgspec.json.decode(path.read_bytes(), type=Meta)
    except FileNotFoundError as error:
        raise StoreError(f"{folder} holds no synthetic images: no {META}") from error
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def as_stored(meta: Meta) -> Meta:
    """``meta`` as `read_meta` returns it: JSON has lists, not tuples.

    Raises `SettingError` for a value of another type, which could not be read back.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(meta), type=Meta)
    except (msgspec.MsgspecError, TypeError, OverflowError) as error:
        raise SettingError(f"{META} can't remember the run: {error}") from None


def write_meta(folder: Path, meta: Meta, *, new: bool = False) -> None:
    """Write meta.json atomically; a ``new`` one only where there is none, or `FileExistsError`."""
    content = msgspec.json.format(msgspec.json.encode(meta))
    write_atomically(Path(folder) / META, content, new=new)
