"""ImageFolder trees, ``FOLDER/{train,test}/<class>/<image>``: listed, checked, decoded."""

import hashlib
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tqdm import tqdm

from benchmarks.datasets.cache import cached
from benchmarks.datasets.dataset import Dataset, Split, mean_and_std
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.progress import Progress, bar

log = logging.getLogger(__name__)

SPLITS = ("train", "test")
_DECODER = 3  # raised when the same files give other pixels: kept ones of before are not used
_FILES_PER_TASK = 256  # enough that handing out tasks costs nothing

# What Windows, macOS and network drives leave in folders beside hidden files, in lower case.
_NO_IMAGES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"}
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp")  # copies and downloads


@dataclass(frozen=True)
class ImageFolder:
    """What lies in an ImageFolder tree."""

    folder: Path
    classes: tuple[str, ...]
    files: dict[str, list[tuple[str, int]]]  # split -> (path, class index), in order
    stamp: str  # sha256 over every file's path, size and time of change


def load_image_folder(folder: Path, image_size: int | None) -> Dataset:
    """The tree in ``folder``, named ``imagefolder-<its last part>``.

    Mean and standard deviation are measured on the training split, at the size delivered.
    """
    if not folder.is_dir():
        raise MissingError(
            f"there is no folder {folder.absolute()}: imagefolder:PATH needs "
            "PATH/train/<class>/ and PATH/test/<class>/"
        )
    found = scan(folder.resolve())
    owner = f"{found.folder} at {image_size}"
    train, test = cached(owner, found.stamp, lambda: decode(found, fit=image_size))
    mean, std = mean_and_std(train.images)
    return Dataset(f"imagefolder-{found.folder.name}", train, test, found.classes, mean, std)


def scan(folder: Path) -> ImageFolder:
    """List the tree in ``folder``.

    Hidden files and what file managers leave behind are passed over; half-copied files and files
    beside the class folders as well, with a warning. Classes are in alphabetical order, or, when
    every name is a number, in that of the numbers. Raises `MissingError` when a split or a class
    folder is absent or empty, or one split has a class that the other lacks, and `UsageError` for a
    folder within a class folder and for the name of a class that is not UTF-8.
    """
    folder = folder.absolute()
    try:
        return _scan(folder)
    except OSError as error:
        raise UsageError(f"{error.filename} can't be read: {error.strerror}") from error


def _scan(folder: Path) -> ImageFolder:
    half_copied: list[str] = []
    beside: list[str] = []
    found = {split: _class_folders(folder / split, half_copied, beside) for split in SPLITS}
    for split, other in (SPLITS, SPLITS[::-1]):
        for name in sorted(set(found[other]) - set(found[split])):
            raise MissingError(
                f"class folder {folder / split / name} is missing, but {folder / other / name} "
                "is there: the data set is half copied, copy it again"
            )
    classes = sorted(found["train"])
    if all(name.isdecimal() for name in classes):
        classes.sort(key=int)
    digest = hashlib.sha256(b"%d\0" % _DECODER + os.fsencode(folder))
    files: dict[str, list[tuple[str, int]]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for index, name in enumerate(classes):
            entries = _entries(folder / split / name, half_copied)
            if not entries:
                raise MissingError(f"class folder {folder / split / name} holds no image")
            for entry in entries:
                if entry.is_dir():
                    raise UsageError(f"{entry.path} is a folder where an image is expected")
                status = entry.stat()
                files[split].append((entry.path, index))
                digest.update(os.fsencode(entry.path))
                digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for why, files_left_out in (("half copied", half_copied), ("in no class folder", beside)):
        if files_left_out:
            count = len(files_left_out)
            warn_once(f"left out as {why}: {files_left_out[0]}, {count:,} in {folder}")
    return ImageFolder(folder, tuple(classes), files, digest.hexdigest())


def _class_folders(split: Path, half_copied: list[str], beside: list[str]) -> list[str]:
    """Their names; files that lie beside them join ``beside``."""
    if not split.is_dir():
        raise MissingError(
            f"there is no folder {split}: {split.parent} needs train/<class>/ and test/<class>/"
        )
    entries = _entries(split, half_copied)
    names = [entry.name for entry in entries if entry.is_dir()]
    if not names:
        raise MissingError(f"there is no class folder in {split}")
    for name in names:
        require_utf8(name, split)
    beside += [entry.path for entry in entries if not entry.is_dir()]
    return names


def require_utf8(name: str, folder: Path = Path()) -> None:
    """Raises `UsageError`, which says in which ``folder``, for a name that no JSON can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(folder / name).decode(errors="backslashreplace")
        raise UsageError(f"{shown}: a name that is not UTF-8; rename it") from None


def _entries(folder: Path, half_copied: list[str]) -> list["os.DirEntry[str]"]:
    """What may be a class folder or an image, in order; files left out join ``half_copied``."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    kept = []
    for entry in entries:
        name = entry.name.lower()
        if name.startswith(".") or name in _NO_IMAGES:
            continue
        if name.endswith(_UNFINISHED) and entry.is_file():
            half_copied.append(entry.path)
        else:
            kept.append(entry)
    return kept


@cache
def warn_once(line: str) -> None:
    """In the cell's log and on stderr: numbers of such data are not those of the whole."""
    log.warning(line)
    tqdm.write(f"warning: {line}", file=sys.stderr)


def decode(found: ImageFolder, *, fit: int | None = None) -> tuple[Split, Split]:
    """The training and test images of ``found`` as RGB.

    With ``fit``, each is resized (bilinear, antialiased) so that its shorter side has that many
    pixels, and its centre is kept. Without, all must be squares of one size. Raises `UsageError`
    with the name of the first file that is no image, is damaged, or has another size.
    """
    size = fit
    if size is None:
        path = found.files["train"][0][0]
        height, size = _read(path, None).shape[:2]
        if height != size:
            raise UsageError(
                f"{path} is {size}x{height} pixels, not square: give an image size to resize to"
            )
    total = sum(len(files) for files in found.files.values())
    with (
        bar(total, f"reading {found.folder.name}", "img") as advance,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
    ):
        train, test = (_decode_split(found.files[s], size, fit, pool, advance) for s in SPLITS)
    return train, test


def _decode_split(
    files: list[tuple[str, int]],
    size: int,
    fit: int | None,
    pool: ThreadPoolExecutor,
    advance: Progress,
) -> Split:
    images = np.empty((len(files), 3, size, size), dtype=np.uint8)

    def read_from(start: int) -> int:
        for index, (path, _) in enumerate(files[start : start + _FILES_PER_TASK], start):
            pixels = _read(path, fit)
            if pixels.shape != (size, size, 3):
                raise UsageError(
                    f"{path} is {pixels.shape[1]}x{pixels.shape[0]} pixels and the first image "
                    f"{size}x{size}: give an image size to resize to"
                )
            images[index] = pixels.transpose(2, 0, 1)
        return min(_FILES_PER_TASK, len(files) - start)

    # After a file that can't be read, map cancels the tasks that have not begun.
    for count in pool.map(read_from, range(0, len(files), _FILES_PER_TASK)):
        advance(count)
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)
    return Split(torch.from_numpy(images), labels)


def _read(path: str, fit: int | None) -> NDArray[np.uint8]:
    """(H, W, 3) uint8."""
    try:
        with Image.open(path) as file:
            image = _as_rgb(file)
    except Exception as error:  # on a damaged file, decoders raise whatever comes to hand
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path} can't be read as an image: {reason}") from error
    if fit is not None and image.size != (fit, fit):
        image = ImageOps.fit(image, (fit, fit), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _as_rgb(image: Image.Image) -> Image.Image:
    """Upright, transparent parts as white, eight bits a channel; sixteen are scaled, where Pillow
    would clip them to white.

    Raises `ValueError` for 32-bit numbers: which of them is white, the file does not say.
    """
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    if sixteen:
        greys = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((greys + 128) // 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(
            "its pixels are 32-bit numbers, and nothing says which is white; save it with 8 or 16"
        )
    image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
