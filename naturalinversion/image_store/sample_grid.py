"""A PNG of sample images: one column per class as in the paper's Figure 3, or row by row.

Tiles lie side by side in their own size, for others to cut and enlarge. `save_picture` is for
people: enlarged, with gaps, and the classes' names above their columns.
"""

import io
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from naturalinversion.errors import SettingError
from naturalinversion.files import write_atomically
from naturalinversion.image_store.export import CHANNELS, to_picture
from naturalinversion.image_store.meta import Meta
from naturalinversion.image_store.pixels import to_pixels

GRID = "grid.png"  # in the folder of the images
ROWS, COLUMNS = 6, 10  # images of a class, and classes
GAP, FONT = 4, 12  # pixels of a picture for people: between tiles, and of letters
PICTURE_WIDTH = 64  # that its tiles are enlarged to, about
_NEAREST = Image.Resampling.NEAREST


def save_picture(
    path: Path, shards: Iterable[tuple[Tensor, Tensor]], meta: Meta, classes: Sequence[str] = ()
) -> None:
    """As `SyntheticDataset.grid`: only classes and rows that ``shards`` have images for.

    Of more than ten classes, it shows the first ten of the first batch. Raises `SettingError` for a
    ``path`` that is named as another kind of file, a number of names that is not that of the
    classes, or images that have no colours to show.
    """
    if path.suffix.lower() != ".png":
        raise SettingError(f"{path}: a grid is a PNG, so name it {path.stem or 'grid'}.png")
    if classes and len(classes) != meta.num_classes:
        raise SettingError(f"{len(classes)} names for {meta.num_classes} classes")
    if other := [name for name in classes if not isinstance(name, str)]:
        raise SettingError(f"a class is called {other[0]!r}: names are texts")
    if meta.image_shape[0] not in CHANNELS:
        raise SettingError(f"images of {meta.image_shape[0]} channels have no colours to show")
    shown: Sequence[int] = range(meta.num_classes)
    if meta.num_classes > COLUMNS:
        remaining = iter(shards)
        first = next(remaining)
        shown, shards = sorted(set(first[1].tolist()))[:COLUMNS], chain([first], remaining)
    images, labels = _collect(shards, shown)
    pixels = to_pixels(images, "denormalize", meta.mean, meta.std)
    columns = [(k, pixels[labels == k]) for k in shown if (labels == k).any()]
    height, width = pixels.shape[-2:]
    scale = max(1, round(PICTURE_WIDTH / width))
    down, right = height * scale + GAP, width * scale + GAP
    heads = [_head(classes[k] if classes else str(k), width * scale) for k, _ in columns]
    above = max(head.height for head in heads) + GAP
    rows = max(len(tiles) for _, tiles in columns)
    sheet = Image.new("RGB", (len(columns) * right - GAP, above + rows * down - GAP), "white")
    for column, ((_, tiles), head) in enumerate(zip(columns, heads, strict=True)):
        centred = (width * scale - head.width) // 2
        sheet.paste(head, (column * right + centred, above - GAP - head.height))
        for row, tile in enumerate(tiles):
            large = to_picture(tile).resize((width * scale, height * scale), _NEAREST)
            sheet.paste(large.convert("RGB"), (column * right, above + row * down))
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_png(path, sheet)


def _head(name: str, width: int) -> Image.Image:
    """``name`` as a picture at most ``width`` pixels wide; upwards where it is longer."""
    font = ImageFont.load_default(size=FONT)
    left, _, right, bottom = (int(edge) for edge in font.getbbox(name or " "))
    picture = Image.new("RGB", (max(1, right - left), max(bottom, FONT) + 2), "white")
    ImageDraw.Draw(picture).text((-left, 0), name, fill="black", font=font)
    return picture if picture.width <= width else picture.rotate(90, expand=True)


def _collect(
    shards: Iterable[tuple[Tensor, Tensor]], classes: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Up to six images (N, C, H, W) of each of ``classes``, and labels (N,).

    Reads ``shards`` until the grid is full, all of them where a class has too few images.
    """
    missing = dict.fromkeys(classes, ROWS)
    parts = []
    for images, labels in shards:
        chosen = []
        for label, wanted in missing.items():
            found = torch.nonzero(labels == label).flatten()[:wanted]
            missing[label] -= len(found)
            chosen.append(found)
        index = torch.cat(chosen)
        parts.append((images[index], labels[index]))
        if not any(missing.values()):
            break
    images, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return images, labels


def save_grid(path: Path, shards: Iterable[tuple[Tensor, Tensor]], meta: Meta) -> None:
    """Write up to six images of each of the first ten classes, a column per class.

    Pixels are denormalised and clamped; missing images leave white tiles.
    """
    shown = range(min(COLUMNS, meta.num_classes))
    images, labels = _collect(shards, shown)
    pixels = to_pixels(images, "denormalize", meta.mean, meta.std)
    tiles = {}
    for column in shown:
        for row, index in enumerate(torch.nonzero(labels == column).flatten()[:ROWS].tolist()):
            tiles[row, column] = pixels[index]
    _save(path, tiles, pixels.shape[-2:])


def save_rows(path: Path, pixels: Tensor) -> None:
    """Write the first sixty of ``pixels`` (N, C, H, W) uint8, six rows of ten.

    Missing images leave white tiles.
    """
    tiles = {divmod(place, COLUMNS): image for place, image in enumerate(pixels[: ROWS * COLUMNS])}
    _save(path, tiles, pixels.shape[-2:])


def _save(path: Path, tiles: dict[tuple[int, int], Tensor], size: Sequence[int]) -> None:
    """Write tiles (C, H, W) uint8 of ``size`` (H, W) at their (row, column), as RGB.

    Opacity is left out; images that have no colours are shown as the mean of their channels.
    """
    height, width = size
    canvas = np.full((ROWS * height, COLUMNS * width, 3), 255, dtype=np.uint8)
    for (row, column), tile in tiles.items():
        top, left = row * height, column * width
        canvas[top : top + height, left : left + width] = _rgb(tile).permute(1, 2, 0).numpy()
    _write_png(path, Image.fromarray(canvas))


def _write_png(path: Path, image: Image.Image) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())


def _rgb(tile: Tensor) -> Tensor:
    """(C, H, W) uint8 to three channels, or to one where all are the same."""
    if len(tile) in CHANNELS:
        return tile[:3]
    return tile.float().mean(dim=0, keepdim=True).round().to(torch.uint8)
