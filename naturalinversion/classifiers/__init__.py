"""Classifiers for small images, by name and with a width factor: the paper's, and wide ResNets."""

from collections.abc import Callable
from functools import partial

from torch import nn

from naturalinversion.classifiers.mobilenet import MobileNetV2
from naturalinversion.classifiers.outside import build_outside, is_outside
from naturalinversion.classifiers.resnet import ResNet
from naturalinversion.classifiers.vgg import VGG, VGG11, VGG16
from naturalinversion.classifiers.wide_resnet import WideResNet
from naturalinversion.errors import SettingError

ARCHITECTURES: dict[str, Callable[[int, float], nn.Module]] = {
    "resnet18": partial(ResNet, (2, 2, 2, 2)),  # blocks of each stage
    "resnet34": partial(ResNet, (3, 4, 6, 3)),
    "vgg11": partial(VGG, VGG11),
    "vgg16": partial(VGG, VGG16),
    "mobilenetv2": MobileNetV2,
    "wrn40_2": partial(WideResNet, 40, 2),  # depth and factor of the width
    "wrn40_1": partial(WideResNet, 40, 1),
    "wrn16_2": partial(WideResNet, 16, 2),
    "wrn16_1": partial(WideResNet, 16, 1),
}


def build(name: str, num_classes: int, width: float = 1.0) -> nn.Module:
    """A freshly initialised classifier for images (N, 3, H, W), H = W = 16 or more.

    All take three channels: repeat a grey image's, or invert a network of your own (`Teacher` takes
    any number).
    ``width`` scales every layer's channels; 1.0 is the published network. A network of somebody's
    own code (`outside`) has the width and takes the images that its code says. Raises
    `SettingError` for an unknown name. Initialisation draws from the global random state: see
    `seeds.seeded`.
    """
    if is_outside(name):
        return build_outside(name, num_classes)
    if name not in ARCHITECTURES:
        raise SettingError(f"unknown architecture '{name}': one of {', '.join(ARCHITECTURES)}")
    if num_classes < 2:
        raise SettingError(f"a classifier needs two classes or more, not {num_classes}")
    return ARCHITECTURES[name](num_classes, width)


__all__ = ["ARCHITECTURES", "build"]
