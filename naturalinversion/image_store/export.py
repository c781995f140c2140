"""Synthetic images as PNGs in an ImageFolder tree, for other programs."""

import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from naturalinversion.errors import NaturalInversionWarning, SettingError, StoreError
from naturalinversion.image_store.pixels import PixelMapping, to_pixels

if TYPE_CHECKING:
    from naturalinversion.image_store.dataset import SyntheticDataset

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with opacity
_OWN_FILE = re.compile(r"\d{6,}\.png")
SHOWN = 5  # classes that a warning names


def export_tree(
    dataset: "SyntheticDataset", folder: Path, mapping: PixelMapping, *, overwrite: bool
) -> int:
    """Write ``folder/<class>/<number>.png`` for every image; returns their number.

    Classes without an image get no folder, which torchvision's ImageFolder would refuse; a warning
    says so, as it numbers the folders that are there. See `SyntheticDataset.export` for errors.
    """
    meta = dataset.meta
    if meta.image_shape[0] not in CHANNELS:
        raise SettingError(
            f"images of {meta.image_shape[0]} channels can't be PNGs: export takes 1, 3 or 4"
        )
    make_room(folder, overwrite)
    digits = len(str(meta.num_classes - 1))
    number, seen = 0, set()
    for batch, labels in dataset.shards():
        pixels = to_pixels(batch, mapping, meta.mean, meta.std)
        for image, label in zip(pixels, labels.tolist(), strict=True):
            place = folder / f"{label:0{digits}d}"
            if label not in seen:
                place.mkdir(parents=True, exist_ok=True)
                seen.add(label)
            to_picture(image).save(place / f"{number:06d}.png")
            number += 1
    if missing := [label for label in range(meta.num_classes) if label not in seen]:
        named = ", ".join(map(str, missing[:SHOWN])) + (", …" if len(missing) > SHOWN else "")
        warnings.warn(
            f"{folder} has no images of {len(missing)} of {meta.num_classes} classes ({named}): "
            "ImageFolder numbers the folders that are there, the label is int(folder name)",
            NaturalInversionWarning,
            stacklevel=3,
        )
    return number


def to_picture(pixels: Tensor) -> Image.Image:
    """One image (1 or 3 or 4, H, W) uint8."""
    array = pixels.permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def make_room(folder: Path, overwrite: bool) -> None:
    """Remove an earlier export if ``overwrite`` is asked for; hidden files stay.

    Raises `StoreError` for a folder that is not empty otherwise, or holds more than an export.
    """
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: an export needs a folder")
    present = sorted(p for p in folder.glob("*") if not p.name.startswith("."))
    if not present:
        return
    if foreign := next(filter(None, map(_foreign, present)), None):
        raise StoreError(
            f"{folder} holds {foreign.relative_to(folder)}, no export's: take another folder"
        )
    if not overwrite:
        raise StoreError(
            f"{folder} holds an export already, and two sets would mix: take another folder, or "
            "overwrite=True"
        )
    for place in present:
        shutil.rmtree(place)


def _foreign(place: Path) -> Path | None:
    """What in a class folder of an export, or in its place, no export wrote."""
    if not place.is_dir() or place.is_symlink() or not place.name.isdecimal():
        return place
    return next((p for p in sorted(place.iterdir()) if not _OWN_FILE.fullmatch(p.name)), None)
