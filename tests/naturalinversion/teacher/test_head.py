"""The embedding is what the linear layer reads that returns the logits, whatever is beside it."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator
from tests.naturalinversion.teacher.zoo import CLASSES, Small, ZooModel, trained

IMAGES = torch.randn(2, 3, 16, 16, generator=generator(0))


class Heads(Small):
    """The head's output as one of ``WAYS`` gives it, beside another linear layer's."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.other = way, nn.Linear(4, CLASSES)
        self.adapter = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, CLASSES))
        self.norm = nn.BatchNorm1d(CLASSES) if way == "a batch norm" else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = WAYS[self.way](self, pooled(self, images))
        return logits


def pooled(model: Small, images: Tensor) -> Tensor:
    return model.maps(images).mean(dim=(2, 3))


def first(logits: Tensor, other: Tensor) -> Tensor:
    return logits


WAYS: dict[str, Callable[[Heads, Tensor], Tensor]] = {
    "as it is": lambda net, x: net.head(x),  # type: ignore[no-any-return]
    "an auxiliary layer after it": lambda net, x: first(net.head(x), net.other(x + 1)),
    "called again": lambda net, x: first(net.head(x), net.head(x + 1)),
    "log-probabilities": lambda net, x: first(net.head(x).log_softmax(1), net.other(x + 1)),
    "another shape": lambda net, x: first(net.head(x)[:, None].squeeze(1), net.other(x + 1)),
    "a temperature": lambda net, x: first(net.head(x) / 2, net.other(x + 1)),
    "in place": lambda net, x: first(net.head(x).mul_(2), net.other(x + 1)),
    "another type": lambda net, x: first(net.head(x).double(), net.other(x + 1)),
    "a batch norm": lambda net, x: first(net.norm(net.head(x)), net.other(x + 1)),
    "a layer norm": lambda net, x: first(F.layer_norm(net.head(x), (CLASSES,)), net.other(x + 1)),
    "of unit length": lambda net, x: first(10 * F.normalize(net.head(x)), net.other(x + 1)),
    "averaged with an earlier one's": lambda net, x: (net.other(x + 1) + net.head(x)) / 2,
    "over another one's scales": lambda net, x: net.head(x) / F.softplus(net.other(x + 1)),
    "softly capped": lambda net, x: first(30 * torch.tanh(net.head(x) / 30), net.other(x + 1)),
    "centred": lambda net, x: first(net.head(x) - net.head(x).mean(1, keepdim=True), net.other(x)),
    "averaged": lambda net, x: (net.head(x) + net.other(x)) / 2,
    "adapted": lambda net, x: net.head(x) + net.adapter[1](net.adapter[0](x)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_embedding_is_what_the_logits_layer_reads(way: str) -> None:
    model = trained(lambda: Heads(way)).eval()
    assert isinstance(model, Heads)
    teacher = Teacher(model, **ZooModel(Small).arguments())
    found = teacher.observe(IMAGES, embedding=True).embedding
    assert found is not None
    torch.testing.assert_close(found, pooled(model, IMAGES))


class ConvolutionAsHead(Small):
    """A linear layer inside returns as many values as there are classes."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.last = nn.Linear(4, CLASSES), nn.Conv2d(4, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maps(images)
        scales = self.squeeze(maps.mean(dim=(2, 3))).sigmoid()
        return self.last(maps).mean(dim=(2, 3)) * scales  # type: ignore[no-any-return]


def test_a_layer_inside_with_as_many_values_as_classes_is_no_head() -> None:
    teacher = Teacher(trained(ConvolutionAsHead), **ZooModel(Small).arguments())
    with pytest.raises(TeacherError, match="no linear layer that returns its logits"):
        teacher.observe(IMAGES, embedding=True)
