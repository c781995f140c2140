"""Images on the device: a part of them by chance, balanced over the classes."""

import torch

from benchmarks.training.device_dataset import DeviceDataset


def dataset() -> DeviceDataset:
    """Thirty images of class 0, ten of class 1, each a number of its own."""
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 3, 4, 4)
    labels = torch.cat([torch.zeros(30, dtype=torch.int64), torch.ones(10, dtype=torch.int64)])
    return DeviceDataset(images, labels, torch.zeros(3), torch.ones(3))


def numbers(of: DeviceDataset) -> set[int]:
    return set(of.images[:, 0, 0, 0].tolist())


def test_a_part_has_as_many_images_of_every_class_as_there_are() -> None:
    for count, of_class_one in ((8, 4), (20, 10), (26, 10), (100, 10)):
        part = dataset().balanced(count, seed=0)
        assert len(part) == len(numbers(part)) == min(count, 40)
        assert int(part.labels.sum()) == of_class_one


def test_a_smaller_part_is_within_a_larger_one_and_another_seed_is_another() -> None:
    small, large = dataset().balanced(8, seed=0), dataset().balanced(16, seed=0)
    assert numbers(small) < numbers(large)
    assert numbers(dataset().balanced(8, seed=1)) != numbers(small)
    assert numbers(dataset().balanced(8, seed=0)) == numbers(small)
