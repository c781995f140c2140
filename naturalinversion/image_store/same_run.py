"""Whether a folder of images belongs to the run that asks for it, and what differs if not."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from naturalinversion.errors import StoreError
from naturalinversion.image_store.meta import META, Meta, read_meta, write_meta

SHOWN = 4  # differences that one line names
_ABSENT = object()
_OF_STUDENT = {"student", "student_frozen"}  # as the run began with it
_LOGITS = {"logits": "teacher", "student_logits": "student"}  # for noise, and whose they are
_RECORDED_LATER = {"source", "precision", "stages"} | _OF_STUDENT | _LOGITS.keys()
ROUNDING = 0.01  # of logits on other machines, in parts of the greatest
_NO_IDENTITY = {"settings", "batches", "agreed", "version"}
_TITLES = {
    "source": "the code of the method",
    "student": "the student",
    "student_frozen": "the student's frozen part",
    "teacher": "the teacher",
    "first": "the first batch",
    "logits": "what the teacher answers to noise",
    "student_logits": "what the student answers to noise",
}


def claim(folder: Path, meta: Meta, *, any_student: bool = False) -> Meta:
    """The folder's meta.json, which is ``meta``, written now, if the folder is empty.

    ``meta`` is what `as_stored` returned: what can't be read back belongs into no folder.
    Fewer or more batches are the same run: what the folder has is returned. ``any_student``: the
    caller knows that the student is this run's, trained by now. Raises `StoreError` that names
    what differs, old and new, or batches of nobody knows which run.
    """
    stray = sorted(folder.glob("batch-*.safetensors"))  # first: others may be at work
    if not (folder / META).exists():
        if stray:
            raise StoreError(
                f"{stray[0]} lies there without a {META}: nothing says which run made it"
            )
        with suppress(FileExistsError):  # another process was first, maybe of another run
            write_meta(folder, meta, new=True)
            return meta
    found = read_meta(folder)
    different = differences(found, meta, _OF_STUDENT if any_student else set())
    if different:
        more = len(different) - SHOWN
        named = different[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise StoreError(
            f"{folder} holds images of another run: {', '.join(named)}; take another folder"
        )
    return found


def differences(found: Meta, asked: Meta, unless: set[str] | None = None) -> list[str]:
    """What tells two runs apart, one clause each: method, settings, teacher, seed and so on."""
    names = sorted({*found.settings, *asked.settings})
    pairs = [(n, found.settings.get(n, _ABSENT), asked.settings.get(n, _ABSENT)) for n in names]
    for name in Meta.__struct_fields__:
        known = name not in _RECORDED_LATER or getattr(found, name) is not None
        if name in _LOGITS and _agree(found, asked, name):
            continue
        if known and name not in _NO_IDENTITY | (unless or set()):
            pairs.append((_TITLES.get(name, name), getattr(found, name), getattr(asked, name)))
    pairs.sort(key=lambda pair: pair[0] != "method")  # others have other settings
    return [
        f"{name} was {_shown(old)}, is now {_shown(new)}" for name, old, new in pairs if old != new
    ]


def other_version(found: Meta, asked: Meta) -> str:
    """What to know of batches that another version of the library has made; empty if none has."""
    if asked.version is None or found.version == asked.version:
        return ""
    before = f"version {found.version}" if found.version else "an earlier version"
    return (
        f"its batches are of {before}, version {asked.version} adds to them: CHANGELOG.md says "
        "whether the method's images have changed"
    )


def _agree(found: Meta, asked: Meta, name: str) -> bool:
    """Whether the logits ``name`` are the same but for rounding, or are of unlike weights."""
    if getattr(found, _LOGITS[name]) != getattr(asked, _LOGITS[name]):
        return True
    old, new = getattr(found, name) or (), getattr(asked, name) or ()
    limit = ROUNDING * max(map(abs, old), default=0.0)
    return len(old) == len(new) and all(
        abs(one - other) <= limit for one, other in zip(old, new, strict=True)
    )


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not recorded"
    if value == "":
        return "none"
    if isinstance(value, tuple) and len(value) > SHOWN and isinstance(value[0], float):
        return f"({', '.join(map(str, value[:SHOWN]))}, …)"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
