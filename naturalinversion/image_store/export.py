"""Synthetic images as PNGs in an ImageFolder tree, for other programs."""

import re
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from torch import Tensor

from naturalinversion.errors import NaturalInversionWarning, SettingError, StoreError
from naturalinversion.image_store.meta import Meta
from naturalinversion.image_store.pixels import PixelMapping, check_mapping, to_pixels

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with opacity
_OWN_FILE = re.compile(r"\d{6,}\.png")
SHOWN = 5  # classes that a warning names


def export_tree(
    shards: Iterable[tuple[Tensor, Tensor]],
    meta: Meta,
    folder: Path,
    mapping: PixelMapping,
    *,
    overwrite: bool,
) -> int:
    """Write ``folder/<class>/<number>.png`` for every image of ``shards``; returns their number.

    Classes without an image get no folder, which torchvision's ImageFolder would refuse; a warning
    says so, as it numbers the folders that are there. What fails on the way leaves ``folder`` as it
    was, with the earlier export if there is one. See `SyntheticDataset.export` for errors.
    """
    if meta.image_shape[0] not in CHANNELS:
        raise SettingError(
            f"images of {meta.image_shape[0]} channels can't be PNGs: export takes 1, 3 or 4"
        )
    check_mapping(mapping)
    earlier = _earlier_export(folder, overwrite)
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder: ImageFolder would take half an export in it for a class.
    with TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as aside:
        new, old = Path(aside) / "new", Path(aside) / "old"
        number, seen = _write(shards, meta, new, mapping)
        _exchange(place, earlier, new, old)
    if missing := [label for label in range(meta.num_classes) if label not in seen]:
        named = ", ".join(map(str, missing[:SHOWN])) + (", …" if len(missing) > SHOWN else "")
        warnings.warn(
            f"{folder} has no images of {len(missing)} of {meta.num_classes} classes ({named}): "
            "ImageFolder numbers the folders that are there, the label is int(folder name)",
            NaturalInversionWarning,
            stacklevel=3,
        )
    return number


def _exchange(place: Path, earlier: Iterable[Path], new: Path, old: Path) -> None:
    """Move ``earlier``, which lies in ``place``, to ``old`` and what is in ``new`` to ``place``.

    Stopped on the way, by Ctrl-C too, everything is moved back.
    """
    existed = place.exists()
    place.mkdir(exist_ok=True)
    old.mkdir()
    made = sorted(new.iterdir())
    try:
        for source, target in ((earlier, old), (made, place)):
            for path in source:
                shutil.move(path, target / path.name)
    except BaseException:
        for path in made:
            if not path.exists():
                shutil.move(place / path.name, path)
        for path in old.iterdir():
            shutil.move(path, place / path.name)
        if not existed:
            place.rmdir()
        raise


def _write(
    shards: Iterable[tuple[Tensor, Tensor]], meta: Meta, folder: Path, mapping: PixelMapping
) -> tuple[int, set[int]]:
    """Write all images below ``folder``; returns their number, and the classes there are."""
    digits = len(str(meta.num_classes - 1))
    number, seen = 0, set[int]()
    for batch, labels in shards:
        pixels = to_pixels(batch, mapping, meta.mean, meta.std)
        for image, label in zip(pixels, labels.tolist(), strict=True):
            place = folder / f"{label:0{digits}d}"
            if label not in seen:
                place.mkdir(parents=True)
                seen.add(label)
            to_picture(image).save(place / f"{number:06d}.png")
            number += 1
    return number, seen


def to_picture(pixels: Tensor) -> Image.Image:
    """One image (1 or 3 or 4, H, W) uint8."""
    array = pixels.permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _earlier_export(folder: Path, overwrite: bool) -> list[Path]:
    """The class folders of an earlier export, which ``overwrite`` replaces; hidden files stay.

    Raises `StoreError` for a folder that is not empty otherwise, or holds more than an export.
    """
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: an export needs a folder")
    present = sorted(p for p in folder.glob("*") if not p.name.startswith("."))
    if not present:
        return []
    if foreign := next(filter(None, map(_foreign, present)), None):
        raise StoreError(
            f"{folder} holds {foreign.relative_to(folder)}, no export's: take another folder"
        )
    if not overwrite:
        raise StoreError(
            f"{folder} holds an export already, and two sets would mix: take another folder, or "
            "overwrite=True"
        )
    return present


def _foreign(place: Path) -> Path | None:
    """What in a class folder of an export, or in its place, no export wrote."""
    if not place.is_dir() or place.is_symlink() or not place.name.isdecimal():
        return place
    seen = sorted(p for p in place.iterdir() if not p.name.startswith("."))
    return next((p for p in seen if not _OWN_FILE.fullmatch(p.name)), None)
