"""Crops and flips of a batch agree with the same done image by image."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional

from naturalinversion.augmentation import (
    CropFlips,
    Padding,
    ResizedCrops,
    crop_and_flip,
    normalise,
    resized_crop,
    sample_crop_flips,
    sample_resized_crops,
)


def one_by_one(
    images: Tensor, crop_flips: CropFlips, padding: int, mode: Padding, fill: Tensor
) -> Tensor:
    """torchvision's pad, crop and mirror, one image and channel after another."""
    height, width = images.shape[-2:]
    out = []
    for image, (top, left), flip in zip(images, crop_flips.offsets, crop_flips.flips, strict=True):
        channels = []
        for channel, value in zip(image, fill, strict=True):
            how = "reflect" if mode == "reflect" else "constant"
            wide = channel[None].double()
            padded = functional.pad(wide, [padding] * 4, fill=float(value), padding_mode=how)
            crop = padded[:, int(top) : int(top) + height, int(left) : int(left) + width]
            channels.append(crop.flip(-1) if flip else crop)
        out.append(torch.cat(channels))
    return torch.stack(out).to(images.dtype)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    count=st.integers(1, 5),
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    padding=st.integers(0, 3),
    mode=st.sampled_from(["zeros", "reflect"]),
    dtype=st.sampled_from([torch.uint8, torch.float16, torch.float32]),
    seed=st.integers(0, 1000),
)
def test_a_batch_equals_its_images_one_by_one(
    count: int,
    height: int,
    width: int,
    padding: int,
    mode: Padding,
    dtype: torch.dtype,
    seed: int,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    images = (torch.rand(count, 3, height, width, generator=rng) * 255).to(dtype)
    fill = torch.tensor([1.0, 2.0, 3.0])
    crop_flips = sample_crop_flips(count, padding=padding, flip=True, generator=rng)
    before = images.clone()
    out = crop_and_flip(images, crop_flips, padding=padding, mode=mode, fill=fill)
    assert out.dtype == dtype
    assert torch.equal(out, one_by_one(images, crop_flips, padding, mode, fill))
    assert torch.equal(images, before)


def test_channels_last_images_give_the_same() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 8, 8, generator=rng)
    crop_flips = sample_crop_flips(4, padding=2, flip=True, generator=rng)
    other = images.contiguous(memory_format=torch.channels_last)
    modes: tuple[Padding, ...] = ("zeros", "reflect")
    for mode in modes:
        expected = crop_and_flip(images, crop_flips, padding=2, mode=mode, fill=torch.zeros(3))
        out = crop_and_flip(other, crop_flips, padding=2, mode=mode, fill=torch.zeros(3))
        assert torch.equal(out, expected)


def test_samples_cover_every_offset_evenly_and_repeat() -> None:
    crop_flips = sample_crop_flips(
        20_000, padding=2, flip=True, generator=torch.Generator().manual_seed(3)
    )
    counts = torch.bincount(crop_flips.offsets.flatten(), minlength=5)
    assert counts.shape == (5,)
    assert counts.min() > 0.95 * 8000
    assert counts.max() < 1.05 * 8000
    assert 0.48 < float(crop_flips.flips.float().mean()) < 0.52
    rows, columns = crop_flips.offsets.T.double()
    assert abs(float(torch.corrcoef(torch.stack([rows, columns]))[0, 1])) < 0.03
    again = sample_crop_flips(
        20_000, padding=2, flip=True, generator=torch.Generator().manual_seed(3)
    )
    assert torch.equal(crop_flips.offsets, again.offsets)
    assert torch.equal(crop_flips.flips, again.flips)


def test_without_flip_nothing_is_mirrored() -> None:
    crop_flips = sample_crop_flips(
        1000, padding=0, flip=False, generator=torch.Generator().manual_seed(0)
    )
    assert not crop_flips.flips.any()
    assert not crop_flips.offsets.any()


def test_normalise_is_torchvisions() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 5), dtype=torch.uint8)
    mean, std = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]
    expected = functional.normalize(pixels.float() / 255, mean, std)
    out = normalise(pixels, torch.tensor(mean), torch.tensor(std))
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_images_in_teacher_space_are_left_alone(dtype: torch.dtype) -> None:
    images = torch.randn(2, 3, 4, 4).to(dtype)
    out = normalise(images, torch.full((3,), 9.0), torch.full((3,), 9.0))
    assert out.dtype == torch.float32
    assert torch.equal(out, images.float())


def test_a_resized_crop_of_everything_is_the_image_and_a_flip_mirrors_it() -> None:
    images = torch.rand(2, 3, 7, 7)
    boxes = torch.tensor([[0, 0, 7, 7], [0, 0, 7, 7]])
    made = resized_crop(images, ResizedCrops(boxes, torch.tensor([False, True])))
    torch.testing.assert_close(made[0], images[0])
    torch.testing.assert_close(made[1], images[1].flip(2))


def test_a_resized_crop_is_what_torch_resizes() -> None:
    images = torch.rand(1, 3, 16, 16, requires_grad=True)
    crops = ResizedCrops(torch.tensor([[3, 2, 9, 11]]), torch.tensor([False]))
    part = images[:, :, 3:12, 2:13]
    expected = F.interpolate(part, size=(16, 16), mode="bilinear", align_corners=False)
    found = resized_crop(images, crops)
    torch.testing.assert_close(found, expected)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert not images.grad[0, :, :3].any(), "nothing from outside"
    assert not images.grad[0, :, 12:].any()
    assert images.grad[0, :, 3:12, 2:13].abs().min() > 0


def test_resized_crops_have_the_area_and_aspect_asked_for() -> None:
    draws = torch.Generator().manual_seed(0)
    crops = sample_resized_crops(
        500, (32, 32), area=(0.25, 1.0), aspect=(3 / 4, 4 / 3), flip=True, generator=draws
    )
    top, left, height, width = crops.boxes.unbind(1)
    assert top.min() >= 0
    assert left.min() >= 0
    assert (top + height).max() <= 32
    assert (left + width).max() <= 32
    area = height * width / 32**2
    assert 0.23 < area.min() < 0.3
    assert area.max() > 0.9
    assert 150 < int(crops.flips.sum()) < 350
    still = sample_resized_crops(
        9, (32, 24), area=(1, 1), aspect=(1, 1), flip=False, generator=draws
    )
    assert still.boxes[:, 1:].tolist() == [[0, 28, 24]] * 9
    assert not still.flips.any()


@pytest.mark.parametrize("aspect", [(3 / 4, 4 / 3), (1.0, 2.0)])
def test_the_logarithm_of_a_resized_crops_aspect_is_uniform(aspect: tuple[float, float]) -> None:
    """Width by height, each rounded by half a pixel in 70 or more; five standard deviations."""
    count, ends = 2000, torch.tensor(aspect).log()
    draws = torch.Generator().manual_seed(0)
    crops = sample_resized_crops(
        count, (200, 200), area=(0.25, 0.25), aspect=aspect, flip=False, generator=draws
    )
    height, width = crops.boxes[:, 2:].float().unbind(1)
    found, rounding = (width / height).log(), 0.015
    assert ends[0] - rounding <= found.min() <= ends[0] + 2 * rounding
    assert ends[1] - 2 * rounding <= found.max() <= ends[1] + rounding
    spread = float(ends[1] - ends[0]) / 12**0.5
    assert found.mean().item() == pytest.approx(ends.mean().item(), abs=5 * spread / count**0.5)
    assert found.std().item() == pytest.approx(spread, rel=0.05)


def test_host_draws_reach_the_images_without_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `to_device`, which on a GPU copies from pinned memory."""
    copied: list[Tensor] = []

    def to_device(drawn: Tensor, device: torch.device) -> Tensor:
        copied.append(drawn)
        return drawn.to(device)

    monkeypatch.setattr("naturalinversion.augmentation.to_device", to_device)
    draws = torch.Generator().manual_seed(0)
    crops = sample_crop_flips(2, padding=1, flip=True, generator=draws)
    crops.to(torch.device("cpu"))
    boxes = sample_resized_crops(
        2, (4, 4), area=(0.5, 1.0), aspect=(1.0, 1.0), flip=True, generator=draws
    )
    resized_crop(torch.rand(2, 3, 4, 4), boxes)
    expected = [crops.offsets, crops.flips, boxes.boxes, boxes.flips]
    assert all(one is other for one, other in zip(copied, expected, strict=True))


def test_a_crop_of_random_size_may_lie_anywhere_inside() -> None:
    """Half of each side leaves nine places, each as likely."""
    crops = sample_resized_crops(
        900,
        (16, 16),
        area=(0.25, 0.25),
        aspect=(1.0, 1.0),
        flip=False,
        generator=torch.Generator().manual_seed(0),
    )
    for start in crops.boxes[:, 0], crops.boxes[:, 1]:
        found = torch.bincount(start, minlength=9)
        assert len(found) == 9
        assert found.min() > 60
