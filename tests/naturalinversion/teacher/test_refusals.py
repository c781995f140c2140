"""Classifiers that can't be inverted, or hardly: one line says which, before any work."""

import warnings
from collections.abc import Callable
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError, TeacherWarning
from naturalinversion.seeds import generator
from tests.naturalinversion.teacher.zoo import Small, ZooModel, trained


class Around(Small):
    """Something done to the logits of a small network."""

    def __init__(self, what: Callable[[Tensor], Any], outputs: int = 4) -> None:
        super().__init__(outputs=outputs)
        self.what = what

    def forward(self, images: Tensor) -> Any:  # type: ignore[override]
        return self.what(super().forward(images))


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


class HalfFunctional(Small):
    """Normalises by a function once: a pass calls one of its two norm modules."""

    def maps(self, images: Tensor) -> Tensor:
        x = self.norm1.forward(self.conv1(images))
        return F.relu(self.norm2(self.conv2(self.pool(x))))  # type: ignore[no-any-return]


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


class OffInTheDark(Small):
    """Its units are off for images as dark as noise is."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images * F.relu(images.mean(dim=(1, 2, 3), keepdim=True) - 0.5))


class KeepsNothing(Small):
    """A buffer that holds no numbers yet."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.full((2,), float("nan")))


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
    model.log = (line for line in "ab")  # type: ignore[assignment]
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
    "uncopyable": (uncopyable, "can't be copied, as a teacher does to leave yours as it is: "),
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


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-10, 10),
    temperature=st.floats(0.2, 20),
    classes=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_logits_are_never_taken_for_probabilities(
    scale: float, shift: float, temperature: float, classes: int, seed: int
) -> None:
    """Whatever their range; a softmax is noticed at any temperature."""
    from naturalinversion.teacher.examination import check_logits

    weights = torch.randn(12, classes, generator=generator(seed))

    def linear(images: Tensor) -> Tensor:
        return images.flatten(1) @ weights * scale + shift

    images = torch.randn(2, 3, 2, 2, generator=generator(1))
    assert check_logits(linear, images, classes).shape == (2, classes)  # type: ignore[arg-type]
    with pytest.raises(TeacherError, match="softmax"):
        check_logits(
            lambda x: (linear(x) / temperature).softmax(1),  # type: ignore[arg-type]
            images,
            classes,
        )


@pytest.mark.parametrize("given", [Small().state_dict(), "vgg11"], ids=["state dict", "name"])
def test_what_is_no_network_is_one_line(given: Any) -> None:
    with pytest.raises(TeacherError, match=r"not a torch.nn.Module: build the network"):
        Teacher(given, num_classes=4)


LOGITS: dict[str, Callable[[], nn.Module]] = {
    "gated by a sigmoid": lambda: Around(lambda z: z[:, 4:].sigmoid() * z[:, :4], 8),
    "gated by a softmax": lambda: Around(lambda z: z[:, :4] * z[:, 4:].softmax(1), 8),
    "bounded by a sigmoid": lambda: Around(lambda z: 30 * z.sigmoid() - 15),
    "opposite in pairs": lambda: Around(lambda z: torch.cat([z, -z], 1), 2),
    "centred": lambda: Around(lambda z: z - z.mean(dim=1, keepdim=True)),
    "off where images are dark": OffInTheDark,
}


@pytest.mark.parametrize("name", LOGITS)
def test_what_can_be_inverted_is_not_taken_for_what_can_not(name: str) -> None:
    """No probabilities, and a gradient, though that of their sum or of the first images is zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(LOGITS[name]), **ZooModel(Small).arguments())


def test_a_buffer_that_holds_no_numbers_is_not_taken_for_one_that_is_written() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(KeepsNothing), **ZooModel(Small).arguments())


def test_log_probabilities_are_logits() -> None:
    """A softmax of them gives the same, and so does the cross-entropy."""
    Teacher(trained(lambda: Around(lambda z: z.log_softmax(1))), **ZooModel(Small).arguments())


@pytest.mark.parametrize("name", ["norm called", "norm not called"])
def test_norms_that_do_not_mix_the_images_of_a_batch_may_keep_no_statistics(name: str) -> None:
    """Instance norms, and a batch norm of an auxiliary head."""
    model = trained(Small)
    if name == "norm called":
        model.pool = nn.Sequential(nn.InstanceNorm2d(4), model.pool)  # type: ignore[assignment, arg-type]
    else:
        model.auxiliary = nn.BatchNorm2d(8, track_running_stats=False)  # type: ignore[assignment]
    Teacher(model, **ZooModel(Small).arguments())


def test_an_untrained_network_is_a_warning() -> None:
    with pytest.warns(TeacherWarning, match="hold their initial statistics: it looks untrained"):
        Teacher(Small(), **ZooModel(Small).arguments())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(Small), **ZooModel(Small).arguments())


def test_images_that_are_not_normalised_are_a_warning() -> None:
    arguments = ZooModel(Small).arguments()
    plain = {"mean": (0, 0.0, 0), "std": (1, 1.0, 1)}
    with pytest.warns(TeacherWarning, match=r"mean is 0 and std is 1: .* model\(images \* std"):
        Teacher(trained(Small), **arguments | plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Teacher(trained(Small), **arguments | {"mean": plain["mean"]})


def test_norms_that_are_not_called_are_named_in_a_warning() -> None:
    """R_BN is that of the others."""
    left_out = "R_BN leaves out 1 of the classifier's 2 batch norms, which .* as modules: 'norm1'$"
    with pytest.warns(TeacherWarning, match=left_out):
        teacher = Teacher(trained(HalfFunctional), **ZooModel(Small).arguments())
    assert len(teacher.batch_norms) == 1
