"""How data sets, networks, methods and classes are called in print."""

from collections.abc import Sequence

from benchmarks.datasets.load import class_names
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.image_cells import REAL
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
#: Real images in place of a method's, by the split that all are compared with.
REAL_IMAGES = {
    "train": "Real test images (reference)",
    "test": "Real training images (reference)",
}
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100 = "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle"  # the first ten


def display_name(name: str) -> str:
    """``resnet34`` as ``ResNet-34``; another name as it is, less the digest of its code."""
    return NAMES.get(name, plain_name(name))


def title_of(recipes: Recipes, method: str) -> str:
    """What a method is called in print."""
    if not method:
        return ""
    if method == REAL:
        return REAL_IMAGES[recipes.resolve().protocol.fidelity.reference]
    return recipes.title(method)


def first_classes(dataset: str) -> Sequence[str]:
    """Names of the first ten classes, in the order of their labels."""
    if own := class_names(dataset):
        return own[:10]
    known = {"cifar10": _CIFAR10, "cifar100": _CIFAR100}
    return [name.replace("_", " ") for name in known.get(dataset, "0 1 2 3 4 5 6 7 8 9").split()]
