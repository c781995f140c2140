"""Which images a cell reads: planned as cells, read back from their folders."""

import logging
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.synthesis.image_sets import ImageSelection, SyntheticImages
from naturalinversion.errors import BenchmarkError
from naturalinversion.images import IMAGES, Meta, write_meta, write_shard

MEAN, STD = (0.3, 0.4, 0.5), (0.2, 0.25, 0.3)
SIZE = 10  # images of a batch


def planned(*batches: int) -> SyntheticImages:
    """All images of cells with so many batches."""
    cells = [
        Cell("synthesis", f"{n}", {"batches": count, "batch_size": SIZE, "number": n})
        for n, count in enumerate(batches)
    ]
    return SyntheticImages.of(cells)


def stored(root: Path, images: SyntheticImages, name: str = "") -> CellContext:
    """A reader's work, whose inputs are the finished cells; every image has a label of its own."""
    inputs, label = {}, 0
    for role, cell in images.inputs(name).items():
        inputs[role] = root / cell.label
        folder = inputs[role] / IMAGES
        folder.mkdir(parents=True)
        meta = Meta("m", "t", 100, (3, 4, 4), MEAN, STD, 0, SIZE, cell.recipe["batches"])
        write_meta(folder, meta)
        for batch in range(cell.recipe["batches"]):
            labels = torch.arange(label, label + SIZE)
            grey = labels.view(-1, 1, 1, 1) / 255 * torch.ones(1, 3, 4, 4)
            teacher_space = (grey - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(
                3, 1, 1
            )
            write_shard(folder, batch, teacher_space, labels)
            label += SIZE
    log = logging.getLogger("test")
    return CellContext(root, inputs, Machine(), DataOptions(root), "reader", log)


def test_the_first_images_need_no_more_cells_and_batches_than_hold_them() -> None:
    everything = planned(2, 2, 1)
    assert everything.count == 50
    few = everything.first(25)
    assert few.selection == ImageSelection([2, 1], 25)
    assert list(few.inputs()) == ["images0", "images1"]
    assert list(few.inputs("NI+ADI")) == ["images-NI+ADI-0", "images-NI+ADI-1"]
    assert everything.first(10**6) == everything
    assert (everything.first(20) + planned(3)).selection == ImageSelection([2, 3], 50)


@pytest.mark.parametrize("name", ["", "far"])
def test_what_was_planned_is_what_is_read(name: str, tmp_path: Path) -> None:
    everything = planned(2, 2)
    chosen = everything.first(25)
    context = stored(tmp_path, everything, name)
    images, labels, mean, std = chosen.selection.load(context, name)
    assert images.dtype == torch.float16
    assert labels.tolist() == list(range(25))
    assert (mean.tolist(), std.tolist()) == (pytest.approx(MEAN), pytest.approx(STD))
    assert chosen.selection.meta(context, name).num_classes == 100
    part = ImageSelection([1, 1], 20).load(context, name)[1]
    assert part.tolist() == [*range(10), *range(20, 30)], "batches of every input, in order"


def test_pixels_are_what_files_of_the_images_would_hold(tmp_path: Path) -> None:
    everything = planned(2)
    context = stored(tmp_path, everything)
    found = {
        pixels: replace(everything.selection, pixels=pixels).load(context)
        for pixels in ("denormalize", "own", "minmax")
    }
    pixels, labels, _, _ = found["denormalize"]
    assert pixels.dtype == torch.uint8
    assert (pixels.int() - labels.view(-1, 1, 1, 1)).abs().max() <= 1
    assert torch.equal(found["own"][0], pixels), "what were pixels is never stretched"
    assert not torch.equal(found["minmax"][0], pixels)


def test_fewer_images_than_asked_for_are_one_line(tmp_path: Path) -> None:
    context = stored(tmp_path, planned(1, 2))
    with pytest.raises(BenchmarkError, match=r"^reader: 31 images are asked for, there are 30$"):
        ImageSelection([1, 2], 31).load(context)
    named = stored(tmp_path / "named", planned(1), "far")
    with pytest.raises(BenchmarkError, match=r"there are 10 in images-far$"):
        ImageSelection([1], 11).load(named, "far")
