"""What an epoch shows the network: every image, an order and crops of its own, finite losses."""

import itertools
import math

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.learning_rate import images_per_epoch, updates_per_epoch
from naturalinversion.errors import BenchmarkError
from tests.benchmarks.training.small import MEAN, RECIPE, STD, make_dataset, make_model, run


def test_every_image_once_an_epoch_and_no_batch_of_one() -> None:
    sizes: list[int] = []
    seen: list[int] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        sizes.append(len(images))
        seen.extend(labels.tolist())
        return F.cross_entropy(model(images), labels % 3)

    base = make_dataset(50)
    recipe = msgspec.structs.replace(RECIPE, epochs=1)
    for count, expected in ((50, [16, 16, 16, 2]), (49, [16, 16, 16]), (9, [9])):
        sizes.clear()
        seen.clear()
        labels = torch.arange(count)
        run(make_model(), recipe, DeviceDataset(base.images[:count], labels, MEAN, STD), loss)
        assert sizes == expected
        assert len(set(seen)) == len(seen) == images_per_epoch(recipe, count)
        assert len(sizes) == updates_per_epoch(recipe, count)


def test_every_epoch_has_an_order_and_crops_of_its_own() -> None:
    orders: list[list[int]] = []
    sums: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        orders.append(labels.tolist())
        sums.append(float(images.double().sum()))
        return F.cross_entropy(model(images), labels % 3)

    dataset = DeviceDataset(make_dataset(16).images, torch.arange(16), MEAN, STD)
    run(make_model(), dataset=dataset, loss=loss)
    assert len({tuple(order) for order in orders}) == RECIPE.epochs
    assert len(set(sums)) == RECIPE.epochs  # the crops: sums do not depend on the order


def test_updates_per_epoch_go_round_the_images() -> None:
    seen: list[int] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        seen.extend(labels.tolist())
        return F.cross_entropy(model(images), labels % 3)

    dataset = DeviceDataset(make_dataset(20).images, torch.arange(20), MEAN, STD)
    recipe = msgspec.structs.replace(RECIPE, epochs=1, updates_per_epoch=5)
    history = run(make_model(), recipe, dataset, loss)
    assert history.images == len(seen) == 80
    assert torch.bincount(torch.tensor(seen)).tolist() == [4] * 20


def test_an_epochs_loss_is_the_mean_of_its_updates() -> None:
    """Not the last one's, nor weighted by how many images each saw."""
    seen: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        value = F.cross_entropy(model(images), labels) * (1 + len(seen))
        seen.append(value.item())
        return value

    history = run(make_model(), msgspec.structs.replace(RECIPE, epochs=2), make_dataset(50), loss)
    assert len(seen) == 8
    assert history.losses == pytest.approx([sum(seen[:4]) / 4, sum(seen[4:]) / 4], rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crops_are_padded_with_black(dtype: torch.dtype) -> None:
    lowest: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        lowest.append(float(images.min()))
        return F.cross_entropy(model(images), labels)

    white = torch.full((32, 3, 8, 8), 255, dtype=torch.uint8)
    images = white if dtype == torch.uint8 else ((white / 255 - 0.5) / 0.25).to(dtype)
    dataset = DeviceDataset(images, torch.zeros(32, dtype=torch.int64), MEAN, STD)
    run(make_model(), dataset=dataset, loss=loss)
    assert lowest == pytest.approx([-2.0] * len(lowest))
    lowest.clear()
    run(make_model(), msgspec.structs.replace(RECIPE, padding="reflect"), dataset, loss)
    assert lowest == pytest.approx([2.0] * len(lowest))


@pytest.mark.parametrize("crop", [0, 1])
def test_half_of_the_images_are_mirrored_where_the_recipe_flips_and_else_none(crop: int) -> None:
    mirrored: list[bool] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        left, right = (half.mean(dim=(1, 2, 3)) for half in images.chunk(2, dim=3))
        mirrored.extend((right > left).tolist())
        return F.cross_entropy(model(images), labels)

    images = torch.zeros(200, 3, 8, 8, dtype=torch.uint8)
    images[:, :, :, :4] = 255  # bright on the left
    dataset = DeviceDataset(images, torch.zeros(200, dtype=torch.int64), MEAN, STD)
    for flip, share in ((True, 0.5), (False, 0.0)):
        mirrored.clear()
        run(make_model(), msgspec.structs.replace(RECIPE, crop=crop, flip=flip), dataset, loss)
        assert len(mirrored) == 200 * RECIPE.epochs
        assert sum(mirrored) / len(mirrored) == pytest.approx(share, abs=0.08 * flip)


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_names_epoch_and_update(value: float, shown: str) -> None:
    updates = itertools.count(1)

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        factor = value if next(updates) == 7 else 1.0  # four updates an epoch
        return F.cross_entropy(model(images), labels) * factor

    with pytest.raises(BenchmarkError, match=rf"loss is {shown} in epoch 2, update 3") as caught:
        run(make_model(), loss=loss)
    assert "\n" not in str(caught.value)
