"""What the pixels of stored images are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from naturalinversion.errors import SettingError
from naturalinversion.image_store.pixels import to_pixels
from naturalinversion.seeds import generator

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def test_minmax_spans_the_whole_range_of_every_image() -> None:
    images = torch.randn(20, 3, 8, 8, generator=generator(0)) * torch.logspace(-3, 3, 20).view(
        -1, 1, 1, 1
    )
    pixels = to_pixels(images.half(), "minmax", MEAN, STD).flatten(1)
    assert pixels.amin(1).tolist() == [0] * 20
    assert pixels.amax(1).tolist() == [255] * 20


def test_minmax_keeps_the_balance_of_the_channels_and_survives_a_constant() -> None:
    image = torch.stack([torch.zeros(8, 8), torch.full((8, 8), 0.5), torch.ones(8, 8)])[None]
    assert to_pixels(image, "minmax", MEAN, STD)[0, :, 0, 0].tolist() == [0, 128, 255]
    assert to_pixels(torch.full((1, 3, 8, 8), 3.0), "minmax", MEAN, STD).max() == 0


def test_denormalize_rounds_to_the_nearest_grey_and_clamps() -> None:
    wanted = torch.tensor([-0.3, 0.0, 0.49, 0.51, 100.4, 100.6, 254.6, 255.0, 400.0]) / 255
    space = (wanted - 0.5) / 0.2
    image = space.view(1, 1, 3, 3).expand(1, 3, 3, 3)
    pixels = to_pixels(image, "denormalize", (0.5,) * 3, (0.2,) * 3)
    assert pixels[0, 0].flatten().tolist() == [0, 0, 0, 1, 100, 101, 255, 255, 255]


def test_denormalize_uses_each_channels_own_numbers() -> None:
    pixels = to_pixels(torch.ones(1, 3, 2, 2), "denormalize", MEAN, STD)
    assert pixels[0, :, 0, 0].tolist() == [round(255 * x) for x in (0.7, 0.65, 0.6)]


@settings(max_examples=60, deadline=None)
@given(
    pixels=arrays(np.uint8, (2, 3, 4, 4)),
    mean=st.floats(0.2, 0.8),
    std=st.floats(0.1, 0.5),
)
def test_eight_bit_pixels_survive_the_store(pixels: np.ndarray, mean: float, std: float) -> None:
    """Normalised, kept as float16 and mapped back, a picture is the same picture."""
    original = torch.from_numpy(pixels)
    stored = ((original.float() / 255 - mean) / std).half()
    assert torch.equal(to_pixels(stored, "denormalize", (mean,) * 3, (std,) * 3), original)


def test_an_unknown_mapping_is_refused() -> None:
    with pytest.raises(SettingError, match="unknown pixel mapping 'sigmoid': denormalize"):
        to_pixels(torch.zeros(1, 3, 2, 2), "sigmoid", MEAN, STD)  # type: ignore[arg-type]
