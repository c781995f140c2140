"""The copy that a teacher works on: what it may share with the user's network, and what not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from contract_methods import small
from torch import Tensor, nn

from naturalinversion import Teacher, synthesize
from naturalinversion.errors import TeacherError
from naturalinversion.teacher.use_of_original import refused_use_of
from tests.naturalinversion.teacher.zoo import ZOO, Small, ZooModel, trained

PLAIN = ZooModel(Small).arguments()
HOLDS = "^a function that holds your instance computes with "


class Side(Small):
    """A branch whose function reaches a norm of the network in one of several ways."""

    def __init__(self, way: str = "method") -> None:
        super().__init__()
        self.beside = nn.BatchNorm2d(3)
        norm = self.beside
        self.way = way
        ways: dict[str, Any] = {
            "closure": lambda x: self.beside(x),
            "closure over a part": lambda x: norm(x),
            "closure over a method": lambda x, of=None: branch(x),
            "default": lambda x, norm=norm: norm(x),
            "list": [lambda x: norm(x)],
            "partial": partial(lambda x, times: times * norm(x), times=1),
            "partial of a function": partial(lambda of, x: of(x), lambda x: norm(x)),
            "cache": lru_cache(None)(lambda x: norm(x)),
            "cached method": lru_cache(None)(self.branch),
            "cached part": lru_cache(None)(norm),
            "cached partial": lru_cache(None)(partial(lambda x: norm(x))),
            "closure over a partial": lambda x: given(x),
            "closure over a cache": lambda x: cached(x),
            "argument of a partial": partial(lambda norm, x: norm(x), norm),
            "method": None,
        }
        branch, given = self.branch, partial(lambda norm, x: norm(x), norm)
        cached = lru_cache(None)(lambda x: norm(x))
        self.side = ways[way]

    def branch(self, images: Tensor) -> Tensor:
        return self.beside(images)  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        side = self.branch if self.side is None else self.side
        return super().forward(images + (side[0] if isinstance(side, list) else side)(images))


@pytest.mark.parametrize(
    "way",
    [
        "closure",
        "closure over a part",
        "closure over a method",
        "default",
        "list",
        "partial",
        "partial of a function",
        "cache",
        "cached method",
        "cached part",
        "cached partial",
        "closure over a partial",
        "closure over a cache",
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_function_that_holds_a_part_of_the_network_is_refused(
    way: str, dtype: torch.dtype
) -> None:
    """The copy's would normalise with the user's norm, in training mode."""
    model = trained(lambda: Side(way)).to(dtype)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(
        TeacherError, match=HOLDS + r"its 'beside' \(line \d+ of test_own_copy.py\)"
    ):
        Teacher(model, **PLAIN)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("way", ["method", "argument of a partial"])
def test_what_is_copied_with_the_network_works_on_the_copy(way: str) -> None:
    model = trained(lambda: Side(way))
    before = model.state_dict()["beside.running_mean"].clone()
    assert len(Teacher(model, **PLAIN).batch_norms) == 3
    assert torch.equal(model.state_dict()["beside.running_mean"], before)


class Scaled(Small):
    """Images go through ``scale``, whatever that is."""

    scale: Callable[[Tensor], Tensor] = staticmethod(F.relu)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(self.scale(images))


def test_a_function_that_reaches_the_network_by_a_global_name_is_refused() -> None:
    model = trained(Scaled)
    names: dict[str, Any] = {"model": model, "F": F}
    exec(
        "def scale(x):\n    return x * model.norm1.weight[:3, None, None]\n"
        "def plain(x):\n    return F.relu(x)",
        names,
    )
    model.scale = names["plain"]
    Teacher(model, **PLAIN)
    model.scale = names["scale"]
    with pytest.raises(TeacherError, match=HOLDS + "its 'norm1.weight'.*: make it a method$"):
        Teacher(model, **PLAIN)


class Through:
    """An object that is called, and calls a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, maps: Tensor) -> Tensor:
        return self.function(maps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_function_behind_an_object_is_refused(dtype: torch.dtype) -> None:
    """The teacher's logits would follow the user's weights."""
    model = trained(Small).to(dtype)
    head = model.head
    model.head.forward = Through(lambda x: F.linear(x, head.weight, head.bias))  # type: ignore
    state = torch.random.get_rng_state()
    with pytest.raises(TeacherError, match=HOLDS + r"its 'head.weight' \(line \d+ of test_own"):
        Teacher(model, **PLAIN)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_function_over_a_computed_weight_is_refused() -> None:
    model = ZOO["normalised weights"].make()
    conv = model.conv1
    model.conv1.forward = lambda x: F.conv2d(x, conv.weight, padding=1)  # type: ignore
    with pytest.raises(TeacherError, match=HOLDS + "a tensor of it"):
        Teacher(model, **PLAIN)


def test_a_function_over_a_part_without_weights_is_refused() -> None:
    """A dropout follows the mode of the user's network."""
    model = trained(Scaled).eval()
    model.drop = nn.Dropout()
    model.scale = lambda x: model.drop(x)  # type: ignore[operator]
    with pytest.raises(TeacherError, match=HOLDS + "its 'drop'"):
        Teacher(model, **PLAIN)


def test_a_use_that_the_network_survives_is_refused() -> None:
    model = trained(Scaled)

    def scale(images: Tensor) -> Tensor:
        try:
            return images * model.norm1.weight.mean()  # type: ignore[union-attr]
        except Exception:
            return images

    model.scale = scale
    with pytest.raises(TeacherError, match=HOLDS + "its 'norm1.weight'"):
        Teacher(model, **PLAIN)


def test_a_compiled_function_over_the_network_is_refused() -> None:
    model = trained(Scaled)
    model.scale = torch.compile(lambda x: x * model.norm1.weight.mean())  # type: ignore
    with pytest.raises(TeacherError, match=HOLDS + "its 'norm1.weight'"):
        Teacher(model, **PLAIN)


def test_a_function_that_a_pass_does_not_call_is_not_refused() -> None:
    model = trained(Small)
    model.describe = lambda: sum(p.numel() for p in model.parameters())
    assert len(Teacher(model, **PLAIN).batch_norms) == 2


def test_another_thread_may_use_the_network_while_a_copy_is_tried() -> None:
    model, original = trained(Scaled), trained(Small)

    def scale(images: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(original, torch.zeros(2, 3, 16, 16)).result()
        return images

    model.scale = scale
    with refused_use_of(original):
        model(torch.zeros(2, 3, 16, 16))


class Keeps(Small):
    """Keeps features of the last pass, in an attribute, a dict, a list or deeper."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def maps(self, images: Tensor) -> Tensor:
        maps = super().maps(images)
        self.kept = self.wrap(maps)
        return maps


@pytest.mark.parametrize(
    "wrap",
    [lambda x: x, lambda x: {"a": x}, lambda x: [x], lambda x: {"a": [(1, x)]}],
    ids=["attribute", "dict", "list", "deeper"],
)
def test_a_network_that_keeps_features_is_copied_and_keeps_its_own(
    wrap: Callable[[Tensor], Any],
) -> None:
    model = trained(lambda: Keeps(wrap))
    model(torch.zeros(2, 3, 16, 16))
    kept = model.kept
    assert len(Teacher(model, **PLAIN).batch_norms) == 2
    assert model.kept is kept


class ReturnsNothing(Small):
    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


@pytest.mark.parametrize("way", ["adi", "dafl", "fast"])
def test_a_train_method_may_return_nothing(way: str, tmp_path: Path) -> None:
    """The teacher's, and that of students that compete or are trained."""
    model, student = ReturnsNothing(), ReturnsNothing()
    model.load_state_dict(trained(Small).state_dict())
    teacher = Teacher(model, **PLAIN)
    assert not teacher.model.training
    method = small(way)
    made = synthesize(method, teacher, tmp_path, batches=2, batch_size=8, student=student)
    assert len(made) == 16


class NeedsContiguous(Small):
    """Raises something else than PyTorch does for maps in channels_last layout."""

    error: type[Exception] = AssertionError

    def forward(self, images: Tensor) -> Tensor:
        if not images.is_contiguous():
            raise self.error("images in the usual layout, please")
        return super().forward(images)


class NeedsContiguousToo(NeedsContiguous):
    error = ValueError


@pytest.mark.parametrize("make", [NeedsContiguous, NeedsContiguousToo])
@pytest.mark.parametrize("way", ["adi", "dafl"])
def test_a_network_may_refuse_channels_last_by_any_error(
    make: type[NeedsContiguous], way: str, tmp_path: Path
) -> None:
    """As a teacher, and as a student that competes or is trained."""
    teacher = Teacher(trained(make), **PLAIN)
    made = synthesize(small(way), teacher, tmp_path, batches=1, batch_size=8, student=make())
    assert len(made) == 8
