"""Recipes: layers, overrides, what is refused, and the values that were published."""

import tomllib
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import pytest
from contract_methods import FromOutside

from baselines import METHODS, REFERENCES
from benchmarks.recipes.resolve import FOLDER, SCALES, Book, build_method, method_class
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.errors import BenchmarkError, SettingError, UsageError

OUTSIDE = "contract_methods:FromOutside"
DATASETS = ("digits", "cifar10", "cifar100", "imagefolder:/some/where")


def refused(*overrides: str, method: str = "di", scale: str = "demo") -> str:
    """The one line of a request that can't be met."""
    with pytest.raises(UsageError) as caught:
        Book(scale, "digits", overrides).method(method)
    message = str(caught.value)
    assert "\n" not in message
    return message


def subset(found: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(found))
    assert {key: plain[key] for key in expected} == expected


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_recipe_resolves_everywhere(scale: str, dataset: str) -> None:
    book = Book(scale, dataset)
    for teacher in ("", *ARCHITECTURES):
        protocol = book.protocol(teacher)
        assert protocol.network.image_size % 4 == 0
        for name, cls in METHODS.items():
            recipe = book.method(name, teacher)
            assert recipe.images >= 2
            assert (recipe.rounds is not None) == (cls.student_use == "compete")
            assert isinstance(build_method(name, recipe.settings), cls)


def test_every_file_is_a_recipe_and_says_where_its_numbers_are_from() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == {"protocol", *METHODS, *REFERENCES}
    for path in FOLDER.glob("*.toml"):
        content = tomllib.loads(path.read_text())
        assert content["title"]
        assert content["source"]
        assert all(why for why in content.get("assumed", {}).values())


def test_assumed_keys_exist() -> None:
    """What a recipe calls assumed is a value of it, not a key that was renamed since."""
    book = Book("paper", "cifar100")
    recipes = {"protocol": book.protocol(), **{name: book.method(name) for name in METHODS}}
    for name, recipe in recipes.items():
        for key in recipe.assumed:
            value: Any = recipe
            for part in key.split("."):
                assert part in value if isinstance(value, dict) else hasattr(value, part), name
                value = value[part] if isinstance(value, dict) else getattr(value, part)


def test_later_layers_win_and_overrides_come_last() -> None:
    def iterations(scale: str, dataset: str, *overrides: str, teacher: str = "") -> int:
        recipe = Book(scale, dataset, overrides).method("ni", teacher)
        found = recipe.settings["iterations"]
        assert isinstance(found, int)
        return found

    assert iterations("paper", "cifar10") == 2000
    assert iterations("paper", "cifar100") == 4000
    assert iterations("mini", "cifar100") == iterations("mini", "cifar10") < 2000
    assert iterations("demo", "digits", "ni.settings.iterations=7", teacher="vgg11") == 7
    assert iterations("demo", "digits", "di.settings.iterations=7") != 7, "another recipe's"
    assert iterations("paper", "cifar10", *(f"ni.settings.iterations={n}" for n in (5, 6))) == 6


def test_a_layer_for_one_teacher_leaves_the_others() -> None:
    book = Book("demo", "digits")
    of_vgg, of_resnet = book.method("di", "vgg11"), book.method("di", "resnet34")
    assert of_vgg.settings["iterations"] != of_resnet.settings["iterations"]
    assert of_resnet == book.method("di")


def test_merging_keeps_the_neighbours_of_what_is_set() -> None:
    before = Book("paper", "cifar10").method("adi")
    after = Book("paper", "cifar10", ["adi.rounds.student.epochs=1"]).method("adi")
    assert before.rounds is not None
    assert after.rounds is not None
    assert after.rounds.student.epochs == 1
    assert after.rounds.student.lr == before.rounds.student.lr
    assert (after.rounds.start, after.rounds.rounds) == ("di", before.rounds.rounds)
    assert after.settings == before.settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ni.settings.one_to_one=false", False),
        ("ni.settings.pyramid_stages=[3, 4]", [3, 4]),
        ("ni.settings.keep=last", "last"),
        ("ni.settings.keep='last'", "last"),
        ("ni.settings.l2=0", 0.0),
        ("ni.settings.l2=2e-5", 2e-5),
        ("ni.settings.latent=64", 64),
    ],
)
def test_overrides_take_the_settings_types(text: str, value: object) -> None:
    name = text.partition("=")[0].rpartition(".")[2]
    settings = Book("demo", "digits", [text]).method("ni").settings
    found = msgspec.json.decode(msgspec.json.encode(settings))[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("di.settings.iteratoins=5", "di.settings.iteratoins: unknown key, one of "),
        ("di.setings.iterations=5", "unknown field `setings`"),
        ("di.settings.iterations=many", "Expected `int`, got `str`"),
        ("di.settings.iterations=5.5", "Expected `int`, got `float`"),
        ("di.settings.iterations=true", "Expected `int`, got `bool`"),
        ("di.settings.rate=fast", "Expected `float`"),
        ("di.settings.keep=first", "Invalid enum value 'first'"),
        ("di.settings=5", "Expected `object`"),
        ("di.batches=0", ">= 1"),
        ("di.batch_size=1", ">= 2"),
        ("protocol.student.epochs=0", ">= 1"),
        ("protocol.student.schedule=linear", "Invalid enum value 'linear'"),
        ("protocol.network.width=0", "> 0"),
        ("protocol.network.depth=3", "unknown field `depth`"),
        ("protocol.classifier_floor=97", "<= 1"),
        ("nope.settings.iterations=5", "no recipe of that name, one of adi, dafl"),
        ("di=5", "write recipe.key=value"),
        ("di.settings.iterations", "write recipe.key=value"),
        ("di..iterations=5", "write recipe.key=value"),
        ("=5", "write recipe.key=value"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, says: str) -> None:
    assert says in refused(override)


@pytest.mark.parametrize(
    "override",
    ["di.settings.iterations=0", "dafl.settings.epochs=0", "dafl.settings.batch_size=1"],
)
def test_settings_the_method_refuses_are_refused_before_anything_runs(override: str) -> None:
    """Not after an hour of training the teacher."""
    with pytest.raises((BenchmarkError, SettingError)) as caught:
        Book("demo", "digits", [override]).method(override.partition(".")[0])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_scale_data_set_or_method_is_one_line() -> None:
    assert "unknown scale 'huge': one of demo, mini, paper" in refused(scale="huge")
    assert "unknown method 'nope': one of dafl, dfad, di" in refused(method="nope")
    with pytest.raises(UsageError, match="nope"):
        Book("demo", "nope").protocol()


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
    book = Book("demo", "digits", [f"{OUTSIDE}.settings.noise=0.25", f"{OUTSIDE}.batches=2"])
    recipe = book.method(OUTSIDE)
    assert (recipe.method, recipe.title, recipe.batches) == (OUTSIDE, "FromOutside", 2)
    assert recipe.batch_size == book.protocol().batch_size
    built = build_method(recipe.method, recipe.settings)
    assert type(built) is method_class(OUTSIDE) is FromOutside
    assert built.noise == 0.25
    assert Book("demo", "digits").method(OUTSIDE).settings == {"noise": 0.5}, "its own default"


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
    given = Book("demo", "digits", [f"{name}.settings.strength=2"]).method(name)
    assert given.settings == {"noise": 0.5, "strength": 2.0}


@pytest.mark.parametrize("name", METHODS)
def test_settings_survive_the_way_through_a_cells_recipe(name: str) -> None:
    """What JSON makes of the settings builds the same method."""
    settings = Book("paper", "cifar10").method(name).settings
    through_json = msgspec.json.decode(msgspec.json.encode(settings))
    assert repr(build_method(name, through_json)) == repr(METHODS[name](**settings))


# What was published, from the papers and the official codes (see docs/fidelity-to-paper.md).


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_paper_budget_is_256_thousand_images_on_the_papers_networks(
    name: str, dataset: str
) -> None:
    book = Book("paper", dataset)
    assert book.method(name).images == 256_000
    assert (book.protocol().network.width, book.protocol().network.image_size) == (1.0, 32)


@pytest.mark.parametrize(
    ("dataset", "iterations", "bn"), [("cifar10", 2000, 10.0), ("cifar100", 4000, 3.0)]
)
@pytest.mark.parametrize("name", ["ni", "ni_adi"])
def test_published_natural_inversion(name: str, dataset: str, iterations: int, bn: float) -> None:
    recipe = Book("paper", dataset).method(name)
    assert recipe.batch_size == 256
    subset(
        recipe.settings,
        {
            "iterations": iterations,
            "bn_statistics": bn,
            "cross_entropy": 1.0,
            "total_variation": 6e-3,
            "l2": 1.5e-5,
            "rate_generator": 1e-3,
            "rate_pyramid": 5e-4,
            "rate_scaling": 0.05,
            "latent": 1024,
            "generator_width": 1.0,
            "jitter": 2,
            "flip": True,
            "keep": "best",
            "one_to_one": True,
            "pyramid": True,
            "pyramid_head": "conv_tanh",
            "pyramid_stages": None,
            "feature_gradient": False,
            "channel_scaling": True,
            "compete": 10.0 if name == "ni_adi" else 0.0,
        },
    )


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize("name", ["di", "adi"])
def test_published_deep_inversion(name: str, dataset: str) -> None:
    recipe = Book("paper", dataset).method(name)
    assert recipe.batch_size == 256
    subset(
        recipe.settings,
        {
            "iterations": 2000,
            "rate": 0.1,
            "cross_entropy": 1.0,
            "bn_statistics": 10.0,
            "total_variation": 1e-3,
            "l2": 0.0,
            "jitter": 2,
            "flip": False,
            "keep": "last",
            "compete": 10.0 if name == "adi" else 0.0,
        },
    )


@pytest.mark.parametrize(("dataset", "floor"), [("cifar10", 0.01), ("cifar100", 0.001)])
@pytest.mark.parametrize(("name", "start"), [("adi", "di"), ("ni_adi", "ni")])
def test_competition_and_its_rounds(name: str, start: str, dataset: str, floor: float) -> None:
    recipe = Book("paper", dataset).method(name)
    assert recipe.settings["compete_floor"] == floor
    assert recipe.rounds is not None
    assert (recipe.rounds.start, recipe.rounds.start_batches) == (start, 50)
    student = recipe.rounds.student
    assert (student.lr, student.batch_size, student.updates_per_epoch) == (0.1, 256, 195)


@pytest.mark.parametrize(
    ("dataset", "factors"), [("cifar10", (0.05, 5.0, 0.01)), ("cifar100", (0.5, 20.0, 0.1))]
)
def test_published_dafl(dataset: str, factors: tuple[float, float, float]) -> None:
    settings = Book("paper", dataset).method("dafl").settings
    one_hot, entropy, activation = factors
    subset(
        settings,
        {
            "epochs": 2000,
            "steps": 120,
            "batch_size": 1024,
            "latent": 1000,
            "rate_generator": 0.02,
            "rate_student": 0.1,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "milestones": [0.4, 0.8],
            "gamma": 0.1,
            "generator_schedule": False,
            "temperature": 1.0,
            "generator_eps": 0.8,
            "one_hot": one_hot,
            "information_entropy": entropy,
            "activation": activation,
        },
    )


def test_published_dfad() -> None:
    subset(
        Book("paper", "cifar100").method("dfad").settings,
        {
            "epochs": 500,
            "steps": 50,
            "student_steps": 5,
            "batch_size": 256,
            "latent": 256,
            "rate_generator": 1e-3,
            "rate_student": 0.1,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "milestones": [0.2, 0.4],
            "gamma": 0.1,
            "generator_schedule": True,
        },
    )


def test_published_protocol() -> None:
    protocol = Book("paper", "cifar10").protocol("resnet34")
    assert protocol.temperature == 3.0
    for training, expected in (
        (protocol.student, (250, 256, 195, (0.4, 0.8))),
        (protocol.classifier, (200, 128, 0, (0.4, 0.6))),
    ):
        assert (
            training.epochs,
            training.batch_size,
            training.updates_per_epoch,
            training.milestones,
        ) == expected
        assert (training.lr, training.momentum, training.weight_decay) == (0.1, 0.9, 5e-4)
        assert (training.schedule, training.gamma, training.warmup) == ("step", 0.1, 0.0)
        assert (training.crop, training.flip) == (4, True)
