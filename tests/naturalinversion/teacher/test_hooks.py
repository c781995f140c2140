"""Hooks of the user's network and of its wrappers: copied, warned of or refused."""

import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError, TeacherWarning
from tests.naturalinversion.teacher.zoo import Small, ZooModel, trained

PLAIN = ZooModel(Small).arguments()


class Hooked(Small):
    """Reads what a hook of its own has kept, one that is a method or one that is a function."""

    def __init__(self, method: bool) -> None:
        super().__init__()
        self.kept: dict[str, Tensor] = {}
        hook = self.keep if method else lambda *given: self.kept.update(maps=given[2])
        self.norm2.register_forward_hook(hook)

    def keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.kept["maps"] = output

    def forward(self, images: Tensor) -> Tensor:
        super().forward(images)
        logits: Tensor = self.head(F.relu(self.kept["maps"]).mean(dim=(2, 3)))
        return logits


def test_a_hook_that_holds_the_network_is_refused_and_a_method_is_not() -> None:
    with pytest.raises(TeacherError, match=r"^a hook of 'norm2' is a function .*: make it a meth"):
        Teacher(trained(lambda: Hooked(False)), **PLAIN)
    model = trained(lambda: Hooked(True))
    kept = model.kept["maps"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", TeacherWarning)
        Teacher(model, **PLAIN)(torch.zeros(2, 3, 16, 16))
    assert model.kept["maps"] is kept, "the copy has a dict of its own"


class Recorder:
    """Keeps what it is given, as a hook or by a method that is one."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.kept.append(output)

    def keep(self, *given: Any) -> None:
        self.kept.append(given[-1])


KEPT: list[Any] = []
HOOKS: dict[str, Callable[..., None]] = {
    "function": lambda module, inputs, output: KEPT.append(output),
    "partial": partial(lambda kept, *given: kept.append(given[2]), KEPT),
    "cache": lru_cache(1)(lambda *given: KEPT.append(given[2])),
    "object": Recorder(),
    "method of an object": Recorder().keep,
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_that_keeps_what_it_is_given_elsewhere_is_a_warning(
    hook: Callable[..., None],
) -> None:
    model = trained(Small)
    model.norm1.register_forward_hook(hook)  # type: ignore[union-attr]
    with pytest.warns(TeacherWarning, match="a hook of 'norm1' is no method of the model: it runs"):
        Teacher(model, **PLAIN)


def parallel(model: nn.Module) -> nn.Module:
    return nn.DataParallel(model)


def compiled(model: nn.Module) -> nn.Module:
    return torch.compile(model)  # type: ignore[return-value]


@pytest.mark.parametrize("wrap", [parallel, compiled])
@pytest.mark.parametrize("of", ["whole", "part"])
@pytest.mark.parametrize("method", [True, False], ids=["method", "function"])
def test_a_hook_of_a_wrapper_is_refused(
    wrap: Callable[[nn.Module], nn.Module], of: str, method: bool
) -> None:
    """Another network would be inverted: the one without it."""
    model = trained(lambda: Hooked(True))
    assert isinstance(model, Hooked)
    wrapper = wrap(model if of == "whole" else model.norm1)
    if of == "part":
        model.norm1 = wrapper
    Teacher(wrapper if of == "whole" else model, **PLAIN)
    wrapper.register_forward_hook(model.keep if method else lambda module, inputs, out: 3 * out)
    name = "" if of == "whole" else " 'norm1'"
    says = rf"^a hook of \w+{name} would be lost, for what is inverted is .*: register it there$"
    with pytest.raises(TeacherError, match=says):
        Teacher(wrapper if of == "whole" else model, **PLAIN)


def test_a_compiled_part_with_two_names_is_that_behind_it() -> None:
    model = trained(Small)
    model.norm1 = model.first = compiled(model.norm1)  # type: ignore[assignment, arg-type]
    copied = Teacher(model, **PLAIN).model
    assert copied.first is copied.norm1
    assert isinstance(copied.norm1, nn.BatchNorm2d)
