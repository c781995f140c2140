"""The values that were published, from papers and official codes (docs/fidelity-to-paper.md)."""

from typing import Any

import msgspec
import pytest

from baselines import METHODS
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement

OF_THEIR_OWN = ("cmi", "fast")  # methods of after the paper, with budgets of their own


def subset(found: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(found))
    assert {key: plain[key] for key in expected} == expected


@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_THEIR_OWN])
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_paper_budget_is_256_thousand_images_on_the_papers_networks(
    name: str, dataset: str
) -> None:
    recipes = Recipes("paper", dataset).resolve()
    assert recipes.method(name).images == 256_000
    network = recipes.protocol.network
    assert (network.width, network.image_size) == (1.0, 32)


@pytest.mark.parametrize(
    ("dataset", "iterations", "bn"), [("cifar10", 2000, 10.0), ("cifar100", 4000, 3.0)]
)
@pytest.mark.parametrize("name", ["ni", "ni_adi"])
def test_published_natural_inversion(name: str, dataset: str, iterations: int, bn: float) -> None:
    recipe = Recipes("paper", dataset).resolve().method(name)
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
    recipe = Recipes("paper", dataset).resolve().method(name)
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
    recipe = Recipes("paper", dataset).resolve().method(name)
    assert recipe.settings["compete_floor"] == floor
    assert recipe.rounds is not None
    assert (recipe.rounds.start, recipe.rounds.start_batches) == (start, 50)
    student = recipe.rounds.student
    assert (student.lr, student.batch_size, student.updates_per_epoch) == (0.1, 256, 195)
    assert (student.epochs, student.schedule) == (13, "constant")
    assert recipe.rounds.rounds * student.epochs == 247, "of the published 250 epochs"
    rates = [recipe.rounds.training(number).lr for number in range(1, 20)]
    assert rates == pytest.approx([0.1] * 8 + [0.01] * 7 + [0.001] * 4)


@pytest.mark.parametrize(
    ("dataset", "factors"), [("cifar10", (0.05, 5.0, 0.01)), ("cifar100", (0.5, 20.0, 0.1))]
)
def test_published_dafl(dataset: str, factors: tuple[float, float, float]) -> None:
    settings = Recipes("paper", dataset).resolve().method("dafl").settings
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
        Recipes("paper", "cifar100").resolve().method("dfad").settings,
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


@pytest.mark.parametrize("scale", ["mini", "paper"])
@pytest.mark.parametrize("teacher", ["resnet34", "vgg16"])
def test_a_vgg_trains_slower_whether_teacher_or_baseline(scale: str, teacher: str) -> None:
    """The rate belongs to the network that is trained, not to the row it stands in."""
    pipeline = Pipeline(Recipes(scale, "cifar100").resolve(teacher), 0)
    rates = {
        arch: pipeline.classifier(arch).recipe["training"]["lr"]
        for arch in ("resnet18", "resnet34", "mobilenetv2", "vgg11", "vgg16")
    }
    slow = {arch for arch, rate in rates.items() if rate == 0.05}
    assert slow == {"vgg11", "vgg16"}
    assert {rate for arch, rate in rates.items() if arch not in slow} == {0.1}
    assert pipeline.teacher.recipe["training"]["lr"] == rates[teacher]
    student = pipeline.student(Measurement(method="di", student="vgg11"))
    assert student.recipe["training"]["lr"] == 0.1, "distilled students are another training"
    by_hand = Recipes(scale, "cifar100", ["protocol.classifier.lr=0.3"]).resolve("vgg11")
    assert by_hand.protocol.classifier.lr == 0.3


def test_published_protocol() -> None:
    protocol = Recipes("paper", "cifar10").resolve("resnet34").protocol
    assert (protocol.temperature, protocol.temperature_squared) == (3.0, True)
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
