"""``synthesize --export``: PNGs by class."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.pixels import PixelMapping
from tests.benchmarks.cli.inversion import invert
from tests.benchmarks.command_line import here

MAPPINGS: tuple[PixelMapping, ...] = get_args(PixelMapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_the_pixels_exported_are_mapped_as_asked_for(
    mapping: PixelMapping, weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = invert(weights, tmp_path / "out", images="4", export=mapping)
    assert here(capfd, *command)[0] == 0
    files = sorted((tmp_path / "out" / "png").glob("*/*.png"), key=lambda path: path.name)
    arrays = [np.array(Image.open(path)) for path in files]
    pictures = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
    dataset = SyntheticDataset(tmp_path / "out")
    pixels = {name: dataset.pixels(name) for name in MAPPINGS}
    assert torch.equal(pictures, pixels[mapping])
    assert not torch.equal(pixels["minmax"], pixels["denormalize"])
    if mapping == "minmax":
        assert [(array.min(), array.max()) for array in arrays] == [(0, 255)] * 4


def test_an_export_of_the_same_folder_is_the_last_one_asked_for(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for images, mapping in (("8", "denormalize"), ("4", "minmax")):
        command = invert(weights, tmp_path / "out", export=mapping, images=images)
        assert here(capfd, *command)[0] == 0
    assert len(list((tmp_path / "out" / "png").glob("*/*.png"))) == 4
