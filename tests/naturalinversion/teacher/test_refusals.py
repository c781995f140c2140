"""Classifiers that can't be inverted: one line says which, before any work."""

from collections.abc import Callable
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError
from tests.naturalinversion.teacher.zoo import Around, Small, ZooModel, trained


class NoisyPooling(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return F.dropout(F.avg_pool2d(maps, 2), 0.3, training=True)


class StaysInTraining(nn.BatchNorm2d):
    def train(self, mode: bool = True) -> "StaysInTraining":
        return super().train(True)


class Functional(Small):
    """Normalises by a function: its norm modules are never called."""

    def maps(self, images: Tensor) -> Tensor:
        norm = self.norm1
        x = F.batch_norm(self.conv1(images), norm.running_mean, norm.running_var)
        return self.pool(x)  # type: ignore[no-any-return]


class Checkpointed(Small):
    """Computes its maps again in the backward pass, to save memory."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant

    def maps(self, images: Tensor) -> Tensor:
        again = partial(checkpoint, super().maps, use_reentrant=self.reentrant)
        return again(images)  # type: ignore[no-any-return]


class NeedsMethods(Small):
    """Looks at the forward method of a layer, as some wrappers do."""

    def maps(self, images: Tensor) -> Tensor:
        assert self.norm1.forward.__self__ is self.norm1
        return super().maps(images)


class OwnForward(Small):
    """An instance whose forward pass is a function of that very instance."""

    def __init__(self) -> None:
        super().__init__()
        self.forward = lambda images: Small.forward(self, images)  # type: ignore[method-assign]


class NoGradient(torch.autograd.Function):
    """As the layers of a dynamically quantised network."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        return maps.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        return None


class Observer(Small):
    """Rounds to a range that grows with what it sees, as networks prepared for quantisation do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("range", torch.tensor(0.0))

    def forward(self, images: Tensor) -> Tensor:
        self.range = 0.9 * self.range + 0.1 * images.detach().abs().max()
        step = self.range / 8
        return super().forward((images / step).round() * step + images - images.detach())


class Rounds(Small):
    """Takes its images in steps of a sixteenth."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward((images * 16).round() / 16)


def all_off() -> nn.Module:
    model = trained(Small)
    nn.init.constant_(model.norm2.bias, -1e3)  # type: ignore[arg-type, union-attr]
    return model


def head_of_zeros() -> nn.Module:
    model = trained(Small)
    nn.init.zeros_(model.head.weight)  # type: ignore[arg-type, union-attr]
    return model


def without_statistics() -> nn.Module:
    model = trained(Small)
    model.norm2 = nn.BatchNorm2d(  # type: ignore[assignment]
        model.norm2.num_features,  # type: ignore[arg-type, union-attr]
        track_running_stats=False,
    )
    return model


class TrainsItself(Small):
    """What beginners' training loops are called."""

    def train(self, loader: Any) -> None:  # type: ignore[override]
        for images in loader:
            self(images)


def trains_itself() -> nn.Module:
    model = trained(Small)
    model.__class__ = TrainsItself
    return model


def noisy_pooling() -> nn.Module:
    model = Small()
    model.pool = NoisyPooling()  # type: ignore[assignment]
    return model


def not_a_number() -> nn.Module:
    model = trained(Small)
    nn.init.constant_(model.head.weight, float("nan"))  # type: ignore[arg-type, union-attr]
    return model


def uncopyable() -> nn.Module:
    model = trained(Small)
    model.head.log = (line for line in "ab")  # type: ignore[assignment]
    return model


def ends_with(layer: nn.Module, outputs: int = 4) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(trained(lambda: Small(outputs=outputs)), layer)


SOFTMAX = "the classifier returns probabilities, not logits: its last layer is a softmax; give it"
SIGMOID = "the classifier returns probabilities, not logits: its last layer is a sigmoid; give it"
REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "softmax": (ends_with(nn.Softmax(dim=1)), SOFTMAX),
    "softmax by function": (lambda: trained(lambda: Around(lambda z: z.softmax(1))), SOFTMAX),
    "exponential": (lambda: trained(lambda: Around(lambda z: z.log_softmax(1).exp())), SOFTMAX),
    "softmax in another shape": (
        lambda: trained(lambda: Around(lambda z: z[:, :, None].softmax(1).squeeze(2))),
        SOFTMAX,
    ),
    "sigmoid": (ends_with(nn.Sigmoid()), SIGMOID),
    "sigmoid, clamped": (
        lambda: trained(lambda: Around(lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6))),
        SIGMOID,
    ),
    "sigmoid, scaled and shifted": (
        lambda: trained(lambda: Around(lambda z: 1 - (z.sigmoid() * 0.9 + 0.05))),
        SIGMOID,
    ),
    "softmax in percent": (lambda: trained(lambda: Around(lambda z: z.softmax(1) * 100)), SOFTMAX),
    "hard sigmoid": (ends_with(nn.Hardsigmoid()), SIGMOID),
    "one logit": (lambda: trained(lambda: Small(outputs=1)), "one logit for an image, not 4; of"),
    "one logit, no column": (ends_with(nn.Flatten(0), 1), "one logit for an image, not 4; of one"),
    "its argmax": (
        lambda: trained(lambda: Around(lambda z: z.argmax(1))),
        "returns the number of a class for an image, not 4 logits: let it end before its argmax",
    ),
    "a tuple": (
        lambda: trained(lambda: Around(lambda z: (z, z))),
        "returns tuple for an image, not 4 logits: wrap it in a module whose forward returns the "
        "tensor alone, such as its [0]",
    ),
    "a dict": (
        lambda: trained(lambda: Around(lambda z: {"out": z, "aux": z})),
        "not 4 logits: wrap it in a module whose forward returns the tensor alone, such as one of "
        "its keys: 'out', 'aux'",
    ),
    "an object": (
        lambda: trained(lambda: Around(lambda z: SimpleNamespace(logits=z))),
        "whose forward returns the tensor alone, such as its .logits",
    ),
    "other classes": (
        lambda: trained(lambda: Small(outputs=6)),
        "returns (6,) for an image, not 4 logits: num_classes=6 would fit",
    ),
    "logits of one pixel": (
        ends_with(nn.Unflatten(1, (4, 1, 1))),
        "returns (4, 1, 1) for an image, not 4 logits: let it end with flatten(1)",
    ),
    "classes": (lambda: trained(lambda: Around(lambda z: z.int())), "returns torch.int32, not log"),
    "no gradient": (
        lambda: trained(lambda: Around(lambda z: z.detach())),
        "the classifier's output has no gradient to its images",
    ),
    "operations without a gradient": (
        lambda: trained(lambda: Around(NoGradient.apply)),
        "no gradient to its images: an operation between them has none, as those of quantised la",
    ),
    "rounded images": (lambda: trained(Rounds), "is zero, as that of an operation that rounds"),
    "units that are off": (all_off, "all get the same logits, as from weights that are zero or un"),
    "a head of zeros": (head_of_zeros, "all get the same logits, as from weights that are zero"),
    "a gradient that is not finite": (
        lambda: trained(lambda: Around(lambda z: z + (z - z.detach()).square().sqrt())),
        "the classifier's gradient to the images is not finite",
    ),
    "an observer of quantisation": (
        lambda: trained(Observer),
        "differs from pass to pass, and so does its buffer 'range': switch off what writes it in",
    ),
    "dropout by function": (
        lambda: trained(lambda: Around(lambda z: F.dropout(z))),
        "differs from pass to pass, first that of 'Around': dropout or noise that stays on",
    ),
    "dropout inside": (
        lambda: trained(noisy_pooling),
        "differs from pass to pass, first that of 'pool': dropout or noise that stays on",
    ),
    "norm in training mode": (
        lambda: trained(lambda: Small(norm=StaysInTraining)),
        "logits of an image depend on the others of its batch, first the output of 'norm1'",
    ),
    "norm without statistics beside another": (
        without_statistics,
        "logits of an image depend on the others of its batch, first the output of 'norm2'",
    ),
    "statistics of the batch by function": (
        lambda: trained(lambda: Around(lambda z: F.batch_norm(z, None, None, training=True))),
        "logits of an image depend on the others of its batch, first the output of 'Around': a nor",
    ),
    "logits less their mean over the batch": (
        lambda: trained(lambda: Around(lambda z: z - z.mean(0))),
        "or a mean over the batch",
    ),
    "its own train()": (
        trains_itself,
        "the classifier can't be put into eval mode, as its own train() or eval() is not called ",
    ),
    "norms by function": (
        lambda: trained(Functional),
        "none of the classifier's 2 batch norms is called as a module in its forward pass",
    ),
    "checkpointing": (
        lambda: trained(lambda: Checkpointed(False)),
        "turn gradient checkpointing off: a frozen teacher does not need it",
    ),
    "reentrant checkpointing": (lambda: trained(lambda: Checkpointed(True)), "checkpoint"),
    "layers that must be methods": (
        lambda: trained(NeedsMethods),
        "the classifier can't be observed: 'functools.partial' object has no attribute '__self__'",
    ),
    "forward of another instance": (
        lambda: trained(OwnForward),
        "a function that holds your instance computes with its 'conv1' (line ",
    ),
    "instance norms": (
        lambda: trained(
            lambda: Small(norm=lambda c: nn.InstanceNorm2d(c, track_running_stats=True))
        ),
        "the classifier has no batch norm with running statistics",
    ),
    "not a number": (
        not_a_number,
        "the classifier returns values that are not finite: 'head.weight' holds some",
    ),
    "TorchScript": (lambda: torch.jit.script(trained(Small)), "the classifier is TorchScript"),
    "no values": (lambda: Small().to("meta"), "weights are on the meta device: it has no values"),
    "uncopyable": (uncopyable, "leave yours as it is: its attribute 'head.log': cannot pickle"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_cannot_be_inverted_is_one_line(name: str) -> None:
    make, says = REFUSED[name]
    model = make()
    tensors = list(chain(model.parameters(), model.buffers()))
    before = [(t._version, t.requires_grad) for t in tensors]
    state = torch.random.get_rng_state()
    with pytest.raises(TeacherError) as caught:
        Teacher(model, **ZooModel(make).arguments())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert [(t._version, t.requires_grad) for t in tensors] == before
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("given", [Small().state_dict(), "vgg11"], ids=["state dict", "name"])
def test_what_is_no_network_is_one_line(given: Any) -> None:
    with pytest.raises(TeacherError, match=r"not a torch.nn.Module: build the network"):
        Teacher(given, num_classes=4)
