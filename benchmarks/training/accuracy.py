"""Top-1 accuracy, and agreement with another network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.module_modes import modes_kept
from naturalinversion.precision import compute_in


def accuracy(model: nn.Module, dataset: DeviceDataset, batch_size: int = 512) -> float:
    """The share of ``dataset``'s images (0 to 1) that ``model`` gives their label.

    Computed in float32 and eval mode on the device that holds the images; every module's mode is
    put back.
    """
    return _share_equal(model, lambda part, _: dataset.labels[part], dataset, batch_size)


def agreement(
    model: nn.Module, teacher: nn.Module, dataset: DeviceDataset, batch_size: int = 512
) -> float:
    """The share of ``dataset``'s images (0 to 1) to which both give the same class.

    Labels play no part. Computed as `accuracy` is, on images as ``dataset`` normalises them;
    ``teacher`` must be in eval mode.
    """
    if teacher.training:
        raise ValueError("the teacher is in training mode: call eval() on it first")
    return _share_equal(model, lambda _, images: teacher(images).argmax(1), dataset, batch_size)


def _share_equal(
    model: nn.Module,
    wanted: Callable[[slice, Tensor], Tensor],
    dataset: DeviceDataset,
    batch_size: int,
) -> float:
    """The share of images that ``model`` gives the class ``wanted`` for their place and pixels."""
    if not len(dataset):
        raise ValueError("there is no image to measure an accuracy on")
    device = dataset.images.device
    correct = torch.zeros((), dtype=torch.int64, device=device)
    with modes_kept(model), torch.inference_mode(), compute_in(device, "fp32"):
        model.eval()
        for start in range(0, len(dataset), batch_size):
            part = slice(start, start + batch_size)
            images = dataset.batch(part)
            correct += (model(images).argmax(1) == wanted(part, images)).sum()
    return int(correct) / len(dataset)
