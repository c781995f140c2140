"""A small picture of some images: one column per class, as in the paper's Figure 3."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from naturalinversion.files import write_atomically
from naturalinversion.images import to_pixels
from naturalinversion.teacher.teacher import Teacher

GRID = "grid.png"  # in the folder of the images
ROWS, COLUMNS, GAP, SCALE = 6, 10, 2, 2


def grid_images(shards: Iterable[tuple[Tensor, Tensor]], classes: int) -> tuple[Tensor, Tensor]:
    """What a grid shows of a set's shards: up to six images (N, 3, H, W) of each class, and labels.

    Reads shards until the grid is full, all of them where the set has too few of a class.
    """
    missing = dict.fromkeys(range(min(COLUMNS, classes)), ROWS)
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


def save_grid(path: Path, images: Tensor, labels: Tensor, teacher: Teacher) -> None:
    """Write a PNG of up to six images (N, 3, H, W) of each of the first ten classes.

    Denormalised and clamped pixels; a class with fewer images leaves white places.
    """
    pixels = to_pixels(images, "denormalize", teacher.mean, teacher.std)
    size = pixels.shape[-1]
    step = size + GAP
    sheet = np.full((ROWS * step - GAP, COLUMNS * step - GAP, 3), 255, dtype=np.uint8)
    for column in range(min(COLUMNS, teacher.num_classes)):
        chosen = torch.nonzero(labels == column).flatten()[:ROWS].tolist()
        for row, index in enumerate(chosen):
            top, left = row * step, column * step
            image = pixels[index].permute(1, 2, 0).numpy()
            sheet[top : top + size, left : left + size] = image
    picture = Image.fromarray(sheet)
    picture = picture.resize(
        (picture.width * SCALE, picture.height * SCALE), Image.Resampling.NEAREST
    )
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())
