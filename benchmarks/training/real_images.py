"""Real images for a cell: only what may see them imports this, synthesis and timing do not."""

import torch

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.load import load
from benchmarks.engine.context import CellContext
from benchmarks.training.device_dataset import DeviceDataset


def load_real(context: CellContext, name: str, image_size: int) -> Dataset:
    """The data set ``name``, from where the run's options say and fetched if they ask for it."""
    data = context.data
    return load(name, root=data.root, image_size=image_size, download=data.download)


def splits(dataset: Dataset, context: CellContext) -> tuple[DeviceDataset, DeviceDataset]:
    """The training and the test images on the cell's device."""
    device = context.machine.torch_device()
    mean, std = torch.tensor(dataset.mean), torch.tensor(dataset.std)
    train, test = (
        DeviceDataset(split.images, split.labels, mean, std).to(device)
        for split in (dataset.train, dataset.test)
    )
    return train, test
