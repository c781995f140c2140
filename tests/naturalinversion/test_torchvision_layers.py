"""VGG and MobileNetV2 compute what torchvision's layers compute from the same weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import MobileNetV2
from torchvision.models.vgg import cfgs, make_layers

from naturalinversion.classifiers import build
from naturalinversion.classifiers.mobilenet import STAGES
from naturalinversion.seeds import generator, seeded


def used(arch: str, width: float) -> nn.Module:
    """A classifier in float64 whose batch norms hold statistics of two passes."""
    with seeded(0):
        model = build(arch, 10, width).double().train()
        with torch.no_grad():
            for _ in range(2):
                model(torch.randn(8, 3, 16, 16, dtype=torch.float64))
    return model.eval()


def images(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, dtype=torch.float64, generator=generator(1))


@pytest.mark.parametrize(("arch", "published"), [("vgg11", "A"), ("vgg16", "D")])
def test_vgg_is_torchvisions_features_and_three_linear_layers(arch: str, published: str) -> None:
    model = used(arch, 0.125)
    narrow = [c if isinstance(c, str) else c // 8 for c in cfgs[published]]
    features = make_layers(narrow, batch_norm=True).double().eval()
    features.load_state_dict(model.features.state_dict())
    expected = features(images(32)).flatten(1)
    layers = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
    assert len(layers) == 3
    for layer in layers[:-1]:
        expected = F.relu(F.linear(expected, layer.weight, layer.bias))
    expected = F.linear(expected, layers[-1].weight, layers[-1].bias)
    torch.testing.assert_close(model(images(32)), expected)


@pytest.mark.parametrize("size", [32, 16])  # maps end at four pixels, and at less than a kernel
def test_mobilenet_is_torchvisions_with_two_strides_less(size: int) -> None:
    model = used("mobilenetv2", 1.0)
    theirs = MobileNetV2(10, inverted_residual_setting=[list(stage) for stage in STAGES])
    theirs.features[0][0].stride = (1, 1)
    weights = zip(theirs.state_dict(), model.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    torch.testing.assert_close(model(images(size)), theirs.double().eval()(images(size)))
