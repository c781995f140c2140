"""Top-1 accuracy."""

import torch
from torch import nn

from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.module_modes import modes_kept
from naturalinversion.precision import Precision, compute_in


def accuracy(
    model: nn.Module, dataset: DeviceDataset, batch_size: int = 512, precision: Precision = "fp32"
) -> float:
    """The share of ``dataset``'s images (0 to 1) that ``model`` gives their label.

    Computed in eval mode on the device that holds the images; every module's mode is put back.
    """
    if not len(dataset):
        raise ValueError("there is no image to measure an accuracy on")
    device = dataset.images.device
    correct = torch.zeros((), dtype=torch.int64, device=device)
    with modes_kept(model), torch.inference_mode(), compute_in(device, precision):
        model.eval()
        for start in range(0, len(dataset), batch_size):
            part = slice(start, start + batch_size)
            predicted = model(dataset.batch(part)).argmax(1)
            correct += (predicted == dataset.labels[part]).sum()
    return int(correct) / len(dataset)
