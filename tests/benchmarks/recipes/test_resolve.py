"""Recipes: overrides, what holds where, and what is refused."""

import tomllib
from itertools import product
from typing import Any

import msgspec
import pytest

from baselines import METHODS, REFERENCES
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.overrides import SCALES
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.resolved import FOLDER
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.errors import SettingError, UsageError
from tests.benchmarks.recipes.refusals import refused

OUTSIDE = "contract_methods:FromOutside"
DATASETS = ("digits", "cifar10", "cifar100", "imagefolder:/some/where")


@pytest.mark.parametrize(
    ("scale", "dataset"),
    [pair for pair in product(SCALES, DATASETS) if pair != ("small", "digits")],
)
def test_every_recipe_resolves_everywhere(scale: str, dataset: str) -> None:
    for teacher in ("", *ARCHITECTURES):
        recipes = Recipes(scale, dataset).resolve(teacher)
        assert recipes.protocol.network.image_size % 4 == 0
        for name, cls in METHODS.items():
            recipe = recipes.method(name)
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
    recipes = Recipes("paper", "cifar100").resolve()
    found = {"protocol": recipes.protocol, **{name: recipes.method(name) for name in METHODS}}
    for name, recipe in found.items():
        for key in recipe.assumed:
            value: Any = recipe
            for part in key.split("."):
                assert part in value if isinstance(value, dict) else hasattr(value, part), name
                value = value[part] if isinstance(value, dict) else getattr(value, part)


def test_later_overrides_win_and_those_of_the_command_come_last() -> None:
    def iterations(scale: str, dataset: str, *overrides: str, teacher: str = "") -> int:
        recipe = Recipes(scale, dataset, overrides).resolve(teacher).method("ni")
        found = recipe.settings["iterations"]
        assert isinstance(found, int)
        return found

    assert iterations("paper", "cifar10") == 2000
    assert iterations("paper", "cifar100") == 4000
    assert iterations("mini", "cifar100") == iterations("mini", "cifar10") < 2000
    assert iterations("demo", "digits", "ni.settings.iterations=7", teacher="vgg11") == 7
    assert iterations("demo", "digits", "di.settings.iterations=7") != 7, "another recipe's"
    assert iterations("paper", "cifar10", *(f"ni.settings.iterations={n}" for n in (5, 6))) == 6


def test_an_override_for_one_teacher_leaves_the_others() -> None:
    recipes = Recipes("demo", "digits")
    of_vgg, of_resnet, of_none = (
        recipes.resolve(teacher).method("di") for teacher in ("vgg11", "resnet34", "")
    )
    assert of_vgg.settings["iterations"] != of_resnet.settings["iterations"]
    assert of_resnet == of_none


def test_merging_keeps_the_neighbours_of_what_is_set() -> None:
    before = Recipes("paper", "cifar10").resolve().method("adi")
    after = Recipes("paper", "cifar10", ["adi.rounds.student.epochs=1"]).resolve().method("adi")
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
    settings = Recipes("demo", "digits", [text]).resolve().method("ni").settings
    found = msgspec.json.decode(msgspec.json.encode(settings))[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("di.settings.iteratoins=5", "di.settings.iteratoins: unknown key, one of "),
        ("di.setings.iterations=5", "unknown field `setings`"),
        ("ni.iterations=5", "recipe ni: write ni.settings.iterations"),
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
        ("protocol.temperature=inf", "<= 10000"),
        ("protocol.embedding.perplexity=inf", "<= 10000"),
        ("nope.settings.iterations=5", "no recipe of that name, one of adi, cmi, dafl"),
        ("MyMethod.settings.iterations=5", "protocol, wgan_gp, or package.module:Class"),
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
    with pytest.raises((UsageError, SettingError)) as caught:
        Recipes("demo", "digits", [override]).resolve().method(override.partition(".")[0])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_scale_data_set_or_method_is_one_line() -> None:
    assert "unknown scale 'huge': one of demo, small, mini, paper" in refused(scale="huge")
    assert "unknown method 'nope': one of dafl, dfad, di" in refused(method="nope")
    with pytest.raises(UsageError, match="nope"):
        Recipes("demo", "nope")
    with pytest.raises(UsageError, match="small is for cifar10, cifar100 or imagefolder:PATH"):
        Recipes("small", "digits")


def test_what_was_resolved_once_is_only_read_afterwards() -> None:
    recipes = Recipes("demo", "digits")
    changed = recipes.resolve("vgg11", {"temperature": 1.0})
    assert recipes.resolve("vgg11", {"temperature": 1.0}) is changed
    assert changed.of("vgg16").protocol.temperature == changed.protocol.temperature == 1.0
    assert recipes.resolve("vgg11").protocol.temperature != 1.0
    assert changed.method("di") is changed.method("di", {})
    assert changed.method("di", {"jitter": 0}).settings == changed.method("di").settings | {
        "jitter": 0
    }


def test_a_network_without_residual_blocks_is_pruned_everywhere() -> None:
    recipes = Recipes("small", "cifar10")
    assert recipes.resolve("resnet34").protocol.pruning.layers == "block"
    assert recipes.resolve("vgg11").protocol.pruning.layers == "all"
