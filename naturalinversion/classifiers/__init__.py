"""Classifiers for small images, by name and with a width factor: the paper's, and wide ResNets."""

from collections.abc import Callable

from torch import nn

from naturalinversion.classifiers.mobilenet import mobilenetv2
from naturalinversion.classifiers.outside import build_outside, is_outside
from naturalinversion.classifiers.resnet import resnet18, resnet34
from naturalinversion.classifiers.vgg import vgg11, vgg16
from naturalinversion.classifiers.wide_resnet import wrn16_1, wrn16_2, wrn40_1, wrn40_2
from naturalinversion.errors import SettingError

ARCHITECTURES: dict[str, Callable[[int, float], nn.Module]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "vgg11": vgg11,
    "vgg16": vgg16,
    "mobilenetv2": mobilenetv2,
    "wrn40_2": wrn40_2,
    "wrn40_1": wrn40_1,
    "wrn16_2": wrn16_2,
    "wrn16_1": wrn16_1,
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
