"""Teachers that come with the library: where they stand in for trained ones, and where not."""

import pytest

from benchmarks.cli.compare import Compare
from benchmarks.cli.options import RecipeOptions
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement
from naturalinversion.classifiers.ready import describe, ready_names
from naturalinversion.errors import UsageError

READY = "cifar10-vgg11"


def pipeline(seed: int = 0, **changes: object) -> Pipeline:
    return Pipeline(Recipes("small", "cifar10").resolve("vgg11", changes), seed)


def test_at_small_the_ready_teacher_is_inverted_by_all_seeds() -> None:
    assert pipeline(0).teacher.kind == "pretrained"
    assert pipeline(0).teacher.key == pipeline(1).teacher.key
    assert pipeline(0).teacher.recipe["sha256"] == describe(READY).sha256


def test_a_student_of_its_architecture_is_trained_all_the_same() -> None:
    baseline = pipeline().baseline(Measurement(teacher="vgg11", student="vgg11"))
    assert baseline.kind == "classifier"


def test_a_table_about_the_training_of_teachers_trains_them() -> None:
    assert pipeline(**{"classifier.padding": "reflect"}).teacher.kind == "classifier"


@pytest.mark.parametrize("name", ready_names())
def test_each_fits_scale_small(name: str) -> None:
    known = describe(name)
    recipes = Recipes("small", known.dataset).resolve(known.recipe["arch"])
    assert recipes.protocol.ready[known.recipe["arch"]] == name
    assert Pipeline(recipes, 0).teacher.recipe["ready"] == name
    assert known.test_accuracy >= recipes.protocol.classifier_floor


def test_another_width_or_data_set_is_refused_before_anything_runs() -> None:
    wide = Recipes("small", "cifar10", ["protocol.network.width=0.5"])
    with pytest.raises(UsageError, match=r"0\.25 times as wide.*asked for is vgg11 0\.5 times"):
        Pipeline(wide.resolve("vgg11"), 0)
    (other,) = RecipeOptions(scale="small", dataset=("cifar100",), ready=READY).recipes([])
    with pytest.raises(UsageError, match=r"for cifar10 in.*asked for is.*for cifar100"):
        Pipeline(other.resolve("vgg11"), 0)


def test_the_option_brings_its_data_set_and_the_size_of_its_networks() -> None:
    (recipes,) = RecipeOptions(ready=READY).recipes(["cifar10", "cifar100"])
    resolved = recipes.resolve("vgg11")
    assert recipes.dataset == "cifar10"
    assert (resolved.protocol.network.width, resolved.protocol.network.image_size) == (0.25, 32)
    assert Pipeline(resolved, 0).teacher.recipe["ready"] == READY
    (small,) = RecipeOptions(scale="small", ready=READY).recipes(["cifar10"])
    assert small.set_by_hand == []


def test_one_that_is_none_or_of_another_architecture_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"no ready classifier 'nope': one of .*cifar10-vgg11"):
        RecipeOptions(ready="nope").recipes([])
    with pytest.raises(UsageError, match="--teacher resnet34: --ready cifar10-vgg11 is a vgg11"):
        Compare(("di",), teacher="resnet34", recipe=RecipeOptions(ready=READY)).run()


def test_a_student_on_real_images_gets_as_many_as_methods_make() -> None:
    real = Measurement(teacher="vgg11", student="resnet18", method="real")
    cell = pipeline().student(real)
    assert cell.recipe["images"] == {"batches": [], "count": 2560, "pixels": "stored"}
    few = pipeline().student(Measurement(student="resnet18", method="real", images=250))
    assert few.recipe["images"]["count"] == 250
    assert few.key != cell.key
