"""Real images for a cell: only what may see them imports this, synthesis and timing do not."""

import msgspec
import torch
from msgspec import UNSET, UnsetType

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.load import content, load
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.errors import UsageError


class ReadsRealImages(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What recipes of cells have that read real images: which, with so many pixels a side.

    ``content`` identifies the images of ``imagefolder:PATH``, and of a CIFAR whose copy is not
    whole. It is no part of other recipes, nor of their keys.
    """

    dataset: str
    image_size: int
    content: str | UnsetType = UNSET


def load_real(context: CellContext, recipe: ReadsRealImages) -> Dataset:
    """The recipe's data set, from where the run's options say and fetched if they ask for it.

    Raises `UsageError` when a folder has other images by now than the recipe was made for.
    """
    data = context.data
    dataset = load(
        recipe.dataset, root=data.root, image_size=recipe.image_size, download=data.download
    )
    if content(recipe.dataset, data.root) != (recipe.content or ""):
        raise UsageError(
            f"{context.label}: the images of {recipe.dataset} are not those that the command "
            "found there when it began: give it again"
        )
    return dataset


def provenance_of(dataset: Dataset, tested_on: int | None = None) -> Metrics:
    """What a record says of the real images: which, and how many were tested on."""
    count = len(dataset.test) if tested_on is None else tested_on
    return {"data_fingerprint": dataset.fingerprint, "test_images": count}


def splits(dataset: Dataset, context: CellContext) -> tuple[DeviceDataset, DeviceDataset]:
    """The training and the test images on the cell's device."""
    device = context.machine.torch_device()
    mean, std = torch.tensor(dataset.mean), torch.tensor(dataset.std)
    train, test = (
        DeviceDataset(split.images, split.labels, mean, std).to(device)
        for split in (dataset.train, dataset.test)
    )
    return train, test
