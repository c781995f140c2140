"""The values that were published, from papers and official codes (docs/fidelity-to-paper.md)."""

from typing import Any

import msgspec
import pytest

from baselines import METHODS
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.schema import TrainingRecipe
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


#: What the presets of CMI and Fast-DFKD have in common, every setting that they name.
BANK = {
    "student_steps": 400,
    "student_batch": 256,
    "latent": 256,
    "generator_width": 1.0,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "temperature": 20.0,
    "crop": 4,
    "flip": True,
    "draw_labels": True,
    "truncate": True,
}


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize(
    ("teacher", "taps"),
    [("resnet34", "stages"), ("vgg11", "batch norms"), ("wrn40_2", "batch norms")],
)
def test_published_cmi(dataset: str, teacher: str, taps: str) -> None:
    recipe = Recipes("paper", dataset).resolve(teacher).method("cmi")
    assert (recipe.batches, recipe.batch_size) == (200, 256)
    assert recipe.settings == BANK | {
        "epochs": 200,
        "inner_steps": 200,
        "rate_generator": 1e-3,
        "rate_latent": 1e-3,
        "cross_entropy": 1.0,
        "bn_statistics": 1.0,
        "adversarial": 0.5,
        "warmup": 0,
        "rate_student": 0.1,
        "rate_student_end": 0.0,
        "contrast": 0.8,
        "contrast_temperature": 0.1,
        "taps": taps,
        "projection": 256,
        "memory": 40_960,
        "negatives": 4096,
    }


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize(
    ("teacher", "adversarial", "cross_entropy"),
    [("resnet34", 1.33, 0.5), ("vgg11", 1.0, 0.5), ("wrn40_2", 1.1, 0.4)],
)
@pytest.mark.parametrize(
    ("name", "steps", "rate_latent", "rate_generator"),
    [("fast-2", 2, 0.015, 5e-3), ("fast", 5, 0.01, 3e-3), ("fast-10", 10, 0.01, 2e-3)],
)
def test_published_fast_dfkd(
    name: str,
    steps: int,
    rate_latent: float,
    rate_generator: float,
    teacher: str,
    adversarial: float,
    cross_entropy: float,
    dataset: str,
) -> None:
    recipe = Recipes("paper", dataset).resolve(teacher).method(name)
    assert (recipe.batches, recipe.batch_size) == (220, 256)
    assert recipe.settings == BANK | {
        "epochs": 220,
        "inner_steps": steps,
        "rate_generator": rate_generator,
        "rate_latent": rate_latent,
        "cross_entropy": cross_entropy,
        "bn_statistics": 10.0,
        "statistics_momentum": 0.9,
        "adversarial": adversarial,
        "warmup": 20,
        "rate_student": 0.2,
        "rate_student_end": 2e-4,
        "meta": "maml",
        "reset": 0.6,
        "reset_gain": 0.0,
    }


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


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize(("teacher", "layers"), [("resnet34", "block"), ("vgg16", "all")])
def test_evaluations_are_the_papers_where_it_names_values(
    dataset: str, teacher: str, layers: str
) -> None:
    """Table 2, Figures 6 and 4, Table 1; what it doesn't name is assumed, and stays as it is."""
    protocol = Recipes("paper", dataset).resolve(teacher).protocol
    assert protocol.scratch == TrainingRecipe(
        epochs=200,
        batch_size=128,
        lr=0.05,
        momentum=0.9,
        weight_decay=5e-4,
        nesterov=False,
        schedule="step",
        milestones=(0.3, 0.6, 0.8),
        gamma=0.2,
        warmup=0.0,
        updates_per_epoch=0,
        crop=4,
        padding="zeros",
        flip=True,
        evaluate_every=10,
    )
    pruning = protocol.pruning
    assert (pruning.layers, pruning.loss) == (layers, "cross_entropy")
    subset(
        msgspec.to_builtins(pruning.training),
        {
            "epochs": 20,
            "batch_size": 64,
            "lr": 0.001,
            "momentum": 0.9,
            "weight_decay": 1e-4,
            "nesterov": False,
            "schedule": "constant",
            "warmup": 0.0,
            "updates_per_epoch": 0,
            "crop": 4,
            "padding": "zeros",
            "flip": True,
        },
    )
    assert msgspec.to_builtins(protocol.embedding) == {
        "images": 10_000,
        "pool": 4,
        "components": 50,
        "perplexity": 30.0,
        "iterations": 1000,
        "neighbours": 10,
    }
    assert msgspec.to_builtins(protocol.fidelity) == {
        "extractor": "inception-v3-compat",
        "reference": "train",
        "pixels": ("minmax", "denormalize"),
        "neighbours": 3,
        "splits": 10,
        "clusters": 20,
        "clustering_runs": 10,
    }
