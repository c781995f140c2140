"""The settings of a method, by which a folder knows its run: complete, and the same every time."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from contract_methods import SMALL, FromOutside
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from baselines import METHODS
from naturalinversion import Teacher
from naturalinversion.errors import SettingError, StoreError
from naturalinversion.synthesis.method_settings import plain, settings_of, source_of
from tests.naturalinversion.synthesis.small_runs import fill

MakeTeacher = Callable[..., Teacher]


@pytest.mark.parametrize("name", list(METHODS))
def test_every_setting_of_every_method_counts(name: str) -> None:
    method = METHODS[name](**SMALL[name])
    settings = settings_of(method)
    assert settings.items() >= SMALL[name].items()
    assert not [key for key in settings if key.startswith("_")]
    assert source_of(method) == "", "ours: the version says what it is"


class Hidden(FromOutside):
    """Keeps its argument under another name."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.power = strength


class Kept(FromOutside):
    """No dataclass of its own: the argument is kept under its name."""

    def __init__(self, strength: float) -> None:
        super().__init__(noise=0.1)
        self.strength = strength


def test_a_setting_that_can_not_be_read_back_is_refused_before_any_work(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="Hidden takes 'strength' and keeps no attribute"):
        fill(make_teacher(), tmp_path / "a", Hidden(2.0))
    assert not (tmp_path / "a").exists()
    fill(make_teacher(), tmp_path / "a", Hidden(2.0), settings={"strength": 2.0})
    assert settings_of(Kept(2.0)) == {"noise": 0.1, "strength": 2.0}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=3).map(tuple) | st.dictionaries(st.text(), part),
    max_leaves=8,
)


@given(VALUES)
def test_a_setting_is_the_same_after_json(value: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(plain(value))) == plain(value)


def test_foreign_values_have_no_address_and_show_a_change() -> None:
    class Thing:
        pass

    assert plain(Thing()) == plain(Thing())
    assert plain([Thing()]) == plain([Thing()])
    assert plain(torch.zeros(3)) != plain(torch.ones(3))
    assert plain(np.zeros(2)) == plain(np.zeros(2))
    assert plain(np.True_) is True
    assert plain(torch.float16) == "torch.float16"
    assert plain({2, 1}) == [1, 2]
    assert plain(nn.Linear(2, 2)) != plain(nn.Linear(2, 2))


def scale(least: float) -> Callable[[float], float]:
    """A function of one name that lies elsewhere at every call, as in every process."""

    def at_least(value: float) -> float:
        return max(value, least)

    return at_least


def test_what_functions_modules_and_objects_compute_tells_runs_apart() -> None:
    class Shift:
        def __init__(self, by: int) -> None:
            self.by, self.owner, self._calls = by, self, object()

        def of(self, value: int) -> int:
            return value + self.by

    assert plain(scale(1.0)) == plain(scale(1.0)) != plain(scale(2.0)), "what it closes over"
    assert plain(lambda x: x) != plain(lambda x: 2 * x)
    assert plain(lambda x, by=1: x + by) != plain(lambda x, by=2: x + by)
    assert plain(lambda x: lambda: x) != plain(lambda x: lambda: -x), "a function within"
    assert plain(Shift(1)) == plain(Shift(1)) != plain(Shift(2)), "and one that holds itself"
    assert plain(Shift(1).of) != plain(Shift(2).of)
    assert plain(nn.LeakyReLU(0.1)) != plain(nn.LeakyReLU(0.9)), "modules without weights"
    assert plain(lru_cache(lambda x: x)) != plain(lru_cache(lambda x: -x))
    one, two = (eval("lambda x: K * x", {"__name__": "mine", "K": k}) for k in (1, 2))
    assert plain(one) != plain(two), "globals that it names"
    assert plain(nn.functional.relu) == "torch.nn.functional.relu"
    assert plain(max) == "builtins.max"
    assert plain(nn.ReLU) == "torch.nn.modules.activation.ReLU"


def test_a_function_with_settings_of_its_own_is_the_same_in_the_next_process(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    kept = [scale(0.0), scale(0.0)]  # both live: at two addresses
    for function in kept:
        of_this = {"rate": partial(function, 2.0, shift=(1,)), "parts": SimpleNamespace(f=function)}
        fill(make_teacher(), tmp_path, FromOutside(), settings=of_this)
    for other in (partial(kept[0], 3.0, shift=(1,)), partial(kept[0], 2.0, shift=(2,))):
        with pytest.raises(StoreError, match="holds images of another run: rate was "):
            fill(make_teacher(), tmp_path, FromOutside(), settings={**of_this, "rate": other})
    assert plain(partial(int, base=2)) == repr(partial(int, base=2)), "as folders of before have it"
