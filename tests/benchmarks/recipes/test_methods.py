"""A method's class and settings: what can be named, what is checked, what is built of it."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec
import pytest
from contract_methods import FromOutside

from baselines import METHODS
from benchmarks.recipes.methods import build_method, method_class
from benchmarks.recipes.resolve import Recipes
from tests.benchmarks.recipes.refusals import refused

OUTSIDE = "contract_methods:FromOutside"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no.such.module:Thing", "No module named 'no'"),
        ("contract_methods:Nothing", "has no 'Nothing'"),
        ("contract_methods:SMALL", "not a synthesizer class"),
        ("pathlib:Path", "not a synthesizer class"),
        (":Thing", "write package.module:name"),
        ("contract_methods:", "write package.module:name"),
    ],
)
def test_a_method_that_cannot_be_imported_is_one_line(name: str, says: str) -> None:
    assert says in refused(method=name)


def test_a_method_from_outside_needs_no_recipe() -> None:
    given = [f"{OUTSIDE}.settings.noise=0.25", f"{OUTSIDE}.batches=2"]
    recipes = Recipes("demo", "digits", given).resolve()
    recipe = recipes.method(OUTSIDE)
    assert (recipe.method, recipe.title, recipe.batches) == (OUTSIDE, "FromOutside", 2)
    assert recipe.batch_size == recipes.protocol.batch_size
    built = build_method(recipe.method, recipe.settings)
    assert type(built) is method_class(OUTSIDE) is FromOutside
    assert built.noise == 0.25
    plain = Recipes("demo", "digits").resolve().method(OUTSIDE)
    assert plain.settings == {"noise": 0.5}, "its own default"


def test_the_settings_of_a_method_from_outside_are_checked() -> None:
    assert "nose: unknown key, one of noise" in refused(
        f"{OUTSIDE}.settings.nose=1", method=OUTSIDE
    )
    assert "Expected `float`" in refused(f"{OUTSIDE}.settings.noise=loud", method=OUTSIDE)


class NoDataclass:
    student_use: ClassVar[str] = "none"


def test_a_method_must_be_a_dataclass() -> None:
    assert "must be a dataclass" in refused(method=f"{__name__}:NoDataclass")


@dataclass(kw_only=True)
class Needy(FromOutside):
    strength: float


def test_a_setting_without_default_must_be_given() -> None:
    name = f"{__name__}:Needy"
    assert "strength: has no default" in refused(method=name)
    given = Recipes("demo", "digits", [f"{name}.settings.strength=2"]).resolve().method(name)
    assert given.settings == {"noise": 0.5, "strength": 2.0}


@pytest.mark.parametrize("name", METHODS)
def test_settings_survive_the_way_through_a_cells_recipe(name: str) -> None:
    """What JSON makes of the settings builds the same method."""
    settings = Recipes("paper", "cifar10").resolve().method(name).settings
    through_json = msgspec.json.decode(msgspec.json.encode(settings))
    assert repr(build_method(name, through_json)) == repr(METHODS[name](**settings))
