"""How data sets, networks and classes are called in print."""

from collections.abc import Sequence
from pathlib import Path

from naturalinversion.classifiers.outside import plain_name

NAMES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "vgg11": "VGG-11",
    "vgg16": "VGG-16",
    "mobilenetv2": "MobileNetV2",
    "wrn40_2": "WRN-40-2",
    "wrn40_1": "WRN-40-1",
    "wrn16_2": "WRN-16-2",
    "wrn16_1": "WRN-16-1",
}
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100 = "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle"  # the first ten
_OWN = "imagefolder:"


def display_name(name: str) -> str:
    """``resnet34`` as ``ResNet-34``; another name as it is, less the digest of its code."""
    return NAMES.get(name, plain_name(name))


def first_classes(dataset: str) -> Sequence[str]:
    """Names of the first ten classes, in the order of their labels."""
    if dataset.startswith(_OWN):
        folder = Path(dataset.removeprefix(_OWN)).expanduser() / "train"
        names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        return sorted(names)[:10]
    known = {"cifar10": _CIFAR10, "cifar100": _CIFAR100}
    return [name.replace("_", " ") for name in known.get(dataset, "0 1 2 3 4 5 6 7 8 9").split()]
