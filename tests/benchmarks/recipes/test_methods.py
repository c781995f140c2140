"""A method's class and settings: what can be named, what is checked, what is built of it."""

import hashlib
from abc import ABC
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest
from contract_methods import FromOutside
from torch import Tensor, nn

from baselines import METHODS
from baselines.deep_inversion import DeepInversion
from benchmarks.recipes.methods import build_method, method_class, source_sha256
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement
from tests.benchmarks.recipes.refusals import refused

if TYPE_CHECKING:
    from naturalinversion.teacher.teacher import Teacher

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


@dataclass(kw_only=True)
class Picky(FromOutside):
    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise SystemExit
        if self.steps < 1:
            raise ValueError("steps of one or more,\nas everybody knows")


def broken() -> int:
    raise LookupError("no file")


@dataclass(kw_only=True)
class BrokenDefault(FromOutside):
    steps: int = field(default_factory=broken)


@dataclass(kw_only=True)
class WrongDefault(FromOutside):
    steps: int = None  # type: ignore[assignment]


@dataclass(kw_only=True)
class FromAFile(FromOutside):
    file: Path = Path("here")


@dataclass(kw_only=True)
class Complex(FromOutside):
    phase: complex = 1j


@dataclass(kw_only=True)
class ByPlace(FromOutside):
    weights: dict[tuple[int, int], float] = field(default_factory=lambda: {(0, 0): 1.0})


@dataclass(kw_only=True)
class EitherObject(FromOutside):
    start: Tensor | nn.Module | None = None


@dataclass(kw_only=True)
class EitherSequence(FromOutside):
    sizes: list[int] | tuple[int, ...] = ()


@dataclass(kw_only=True)
class Lookup(FromOutside):
    teacher: "Teacher | None" = None


class Undecided(FromOutside):
    student_use: ClassVar[Any] = "sometimes"


@pytest.mark.parametrize(
    ("method", "override", "says"),
    [
        (Picky, "steps=0", "Picky: ValueError: steps of one or more,"),
        (Picky, "steps=-1", "Picky: SystemExit: no message"),
        (BrokenDefault, "", "BrokenDefault: LookupError: no file"),
        (WrongDefault, "", "WrongDefault: ValidationError: Expected `int`, got `null`"),
        (FromAFile, "", "FromAFile.settings.file: a recipe can't hold PosixPath('here'): "),
        (Complex, "", "Complex.settings.phase: a recipe can't hold 1j: "),
        (ByPlace, "", "ByPlace.settings.weights: a recipe can't hold {(0, 0): 1.0}: "),
        (EitherObject, "", "EitherObject.settings: Type unions may not contain more than one cus"),
        (EitherSequence, "", "EitherSequence.settings: Type unions may not contain more than one"),
        (Lookup, "", "Lookup.settings.teacher: its type can't be looked up: name 'Teacher' is no"),
        (Undecided, "", "student_use is 'sometimes': one of none, compete, joint"),
    ],
)
def test_what_is_wrong_with_a_method_from_outside_is_one_line(
    method: type, override: str, says: str
) -> None:
    name = f"{__name__}:{method.__name__}"
    message = refused(*([f"{name}.settings.{override}"] if override else []), method=name)
    assert name in message
    assert says in message


@dataclass(kw_only=True)
class Typed(FromOutside):
    sizes: list[int] = field(default_factory=lambda: [1, 2])

    _teacher: "Teacher" = field(init=False, repr=False)


def test_a_field_that_is_no_setting_may_have_a_type_for_type_checkers_alone() -> None:
    name = f"{__name__}:Typed"
    recipe = Recipes("demo", "digits", [f"{name}.settings.noise=1"]).resolve().method(name)
    assert recipe.settings == {"noise": 1.0, "sizes": [1, 2]}
    assert build_method(name, recipe.settings).sizes == [1, 2]


@pytest.mark.parametrize("name", METHODS)
def test_settings_survive_the_way_through_a_cells_recipe(name: str) -> None:
    """What JSON makes of the settings builds the same method."""
    settings = Recipes("paper", "cifar10").resolve().method(name).settings
    through_json = msgspec.json.decode(msgspec.json.encode(settings))
    assert repr(build_method(name, through_json)) == repr(METHODS[name](**settings))


BASE = "from contract_methods import FromOutside\n\n\nclass Base(FromOutside):\n    pass\n"
DERIVED = "from base_in_a_file import Base\n\n\nclass Derived(Base):\n    pass\n"


def key_of_images(method: str) -> str:
    pipeline = Pipeline(Recipes("demo", "digits").resolve("resnet34"), 0)
    ((cell, _),) = pipeline.images(Measurement(method=method)).parts
    return cell.key


def test_an_edited_base_class_in_another_file_makes_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for file, text in (("base_in_a_file.py", BASE), ("derived_in_a_file.py", DERIVED)):
        (tmp_path / file).write_text(text)
    before = key_of_images("derived_in_a_file:Derived")
    assert key_of_images("derived_in_a_file:Derived") == before
    (tmp_path / "base_in_a_file.py").write_text(BASE + "# edited\n")
    assert key_of_images("derived_in_a_file:Derived") != before
    (tmp_path / "base_in_a_file.py").write_text(BASE)
    assert key_of_images("derived_in_a_file:Derived") == before


@dataclass(kw_only=True)
class OnOurs(DeepInversion, ABC):
    pass


def test_a_method_in_one_file_is_that_file_whatever_of_ours_it_builds_on() -> None:
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert source_sha256(f"{__name__}:OnOurs") == digest
