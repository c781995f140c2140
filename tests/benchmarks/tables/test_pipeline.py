"""A measurement becomes its cells: what is shared, what a change makes anew, what is refused."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.engine.cell import with_inputs
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement
from naturalinversion.errors import UsageError


def pipeline(seed: int = 0, *overrides: str, scale: str = "demo") -> Pipeline:
    return Pipeline(Recipes(scale, "digits", overrides).resolve("resnet34"), seed)


def ask(method: str, student: str = "vgg11", images: int = 0, **settings: Any) -> Measurement:
    return Measurement(method=method, student=student, images=images, settings=settings)


def test_the_same_request_names_the_same_cells() -> None:
    for method in ("di", "dafl", "ni_adi"):
        first, again = (pipeline().student(ask(method, "resnet18")) for _ in range(2))
        assert first.key == again.key
        assert [c.key for c in with_inputs([first])] == [c.key for c in with_inputs([again])]


def test_an_override_of_the_default_value_changes_nothing() -> None:
    epochs = pipeline().protocol.student.epochs
    same = pipeline(0, f"protocol.student.epochs={epochs}").student(ask("di"))
    assert same.key == pipeline().student(ask("di")).key


@pytest.mark.parametrize("change", ["seed", "scale", "method setting", "training"])
def test_another_request_names_other_cells(change: str) -> None:
    other = {
        "seed": pipeline(1),
        "scale": pipeline(scale="mini"),
        "method setting": pipeline(0, "di.settings.rate=0.3"),
        "training": pipeline(0, "protocol.student.lr=0.3"),
    }[change]
    assert other.student(ask("di")).key != pipeline().student(ask("di")).key


def test_only_what_a_change_touches_is_made_again() -> None:
    """A new student recipe keeps teacher and images; a new setting keeps the teacher."""
    base = pipeline()
    trained = pipeline(0, "protocol.student.lr=0.3")
    assert trained.teacher.key == base.teacher.key
    assert trained.images(ask("di")).parts[0][0].key == base.images(ask("di")).parts[0][0].key
    inverted = pipeline(0, "di.settings.rate=0.3")
    assert inverted.teacher.key == base.teacher.key
    assert inverted.images(ask("di")).parts[0][0].key != base.images(ask("di")).parts[0][0].key
    assert inverted.images(ask("ni")).parts[0][0].key == base.images(ask("ni")).parts[0][0].key


def test_students_share_images_unless_the_method_needs_a_student() -> None:
    base = pipeline()
    for method, shared in (("di", True), ("ni", True), ("adi", False), ("dafl", False)):
        keys = {
            base.images(ask(method, arch)).parts[-1][0].key for arch in ("vgg11", "mobilenetv2")
        }
        assert (len(keys) == 1) == shared, method


def test_rounds_alternate_and_take_the_last_student() -> None:
    base = pipeline(0, "adi.batches=7", "adi.rounds.start_batches=3", "adi.rounds.rounds=2")
    parts = base.images(ask("adi", "vgg11")).parts
    assert [count for _, count in parts] == [3, 2, 2]
    (start, _), (first, _), (second, _) = parts
    assert "student" not in start.inputs
    earlier, later = first.inputs["student"], second.inputs["student"]
    assert later.inputs["initial"].key == earlier.key
    assert later.recipe["images"]["batches"] == [3, 2]
    assert first.recipe["seed"] != second.recipe["seed"]
    assert base.student(ask("adi", "vgg11")).recipe["images"]["batches"] == [3, 2, 2]


@pytest.mark.parametrize(
    "overrides",
    [
        ("adi.batches=3", "adi.rounds.start_batches=3"),
        ("adi.batches=6", "adi.rounds.start_batches=1", "adi.rounds.rounds=2"),
        ("adi.batches=9", "adi.rounds.start_batches=8", "adi.rounds.rounds=1"),
        ("adi.batch_size=50",),
        ("adi.rounds.start=adi",),
        ("adi.rounds.start=dafl",),
    ],
)
def test_rounds_that_do_not_add_up_are_one_line(overrides: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="recipe adi: ") as caught:
        pipeline(0, *overrides).images(ask("adi", "vgg11"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pixels", ["stored", "denormalize", "minmax"])
def test_one_switch_says_what_every_reader_but_the_metrics_sees(pixels: str) -> None:
    made = pipeline(0, f"protocol.student_pixels={pixels}")
    asked = {
        "distillation": ask("di"),
        "scratch": ask("di"),
        "pruning": msgspec.structs.replace(ask("di"), ratio=0.5),
        "tsne": Measurement(methods=["di", "ni"]),
    }
    for evaluation, measurement in asked.items():
        recipe = made.cell(msgspec.structs.replace(measurement, evaluation=evaluation)).recipe
        sets = recipe["sets"].values() if evaluation == "tsne" else [recipe["images"]]
        assert [one["pixels"] for one in sets] == [pixels] * len(sets), evaluation
    judged = made.cell(msgspec.structs.replace(ask("di"), evaluation="fidelity"))
    assert judged.recipe["images"]["pixels"] == "denormalize"
    rounds = [
        cell.recipe["images"]["pixels"]
        for cell in with_inputs([made.student(ask("adi"))])
        if cell.kind == "distillation"
    ]
    assert set(rounds) == {pixels}


@pytest.mark.parametrize(
    ("chosen", "seen"), [("stored", "stored"), ("denormalize", "own"), ("minmax", "own")]
)
def test_images_that_were_pixels_are_never_stretched(chosen: str, seen: str) -> None:
    made = pipeline(0, f"protocol.student_pixels={chosen}")
    shown = made.cell(Measurement(evaluation="tsne", methods=["wgan_gp", "ni"]))
    pixels = {title: images["pixels"] for title, images in shown.recipe["sets"].items()}
    assert sorted(pixels.values()) == sorted([seen, chosen])
    for method in ("wgan_gp", "real"):
        cells = [
            made.cell(Measurement(evaluation="fidelity", method=method, pixels=mapping))
            for mapping in ("denormalize", "minmax")
        ]
        assert {cell.recipe["images"]["pixels"] for cell in cells} == {"own"}
        assert len({cell.key for cell in cells}) == 1


def test_many_batches_are_shared_out_over_cells_and_few_take_the_first() -> None:
    base = pipeline(0, "protocol.chunk=2", "di.batches=5", "di.batch_size=100")
    everything = base.images(ask("di"))
    assert everything.selection.batches == [2, 2, 1]
    assert [cell.recipe["first"] for cell, _ in everything.parts] == [0, 2, 4]
    assert everything.count == 500
    few = base.images(ask("di", "vgg11", 250))
    assert (few.selection.batches, few.count) == ([2, 1], 250)
    assert [cell.key for cell, _ in few.parts] == [cell.key for cell, _ in everything.parts[:2]]
    assert base.images(ask("di", "vgg11", 10**6)).count == 500
    assert base.student(ask("di", "vgg11", 250)).recipe["images"]["count"] == 250


def test_what_shares_its_training_is_not_shared_out() -> None:
    base = pipeline(0, "protocol.chunk=1")
    assert base.images(ask("ni")).selection.batches == [1, 1, 1]
    assert base.images(ask("ni", one_to_one=False)).selection.batches == [3]
    assert base.images(ask("dafl", "vgg11")).selection.batches == [3]


def test_competition_starts_from_the_first_cells_only() -> None:
    """ADI alone makes as many of DI's batches as it needs."""
    base = pipeline(
        0, "protocol.chunk=1", "di.batches=9", "adi.batches=4", "adi.rounds.start_batches=2"
    )
    kinds = [
        cell
        for cell in with_inputs([base.student(ask("adi", "vgg11"))])
        if cell.kind == "synthesis"
    ]
    assert sum(cell.recipe["method"] == "di" for cell in kinds) == 2


def test_an_ablation_is_another_cell_and_its_label_says_which() -> None:
    base = pipeline()
    plain, ((turned, _),) = (
        base.images(ask("ni")),
        base.images(ask("ni", pyramid=False)).parts,
    )
    assert turned.key != plain.parts[0][0].key
    assert turned.recipe["settings"]["pyramid"] is False
    assert "pyramid=False" in turned.label
    assert base.images(ask("ni", pyramid=True)).parts[0][0].key == plain.parts[0][0].key


def test_the_same_cell_has_one_folder_whoever_asks_for_it(tmp_path: Path) -> None:
    """A table that gives a setting the recipe's value, as tries do, makes nothing a second time."""
    base = pipeline()
    usual = base.recipes.method("ni").settings["bn_statistics"]
    plain, given = ask("ni", "resnet18"), ask("ni", "resnet18", bn_statistics=usual, pyramid=True)
    for first, again in zip(
        with_inputs([base.student(plain), base.fidelity(plain), base.pruning(plain)]),
        with_inputs([base.student(given), base.fidelity(given), base.pruning(given)]),
        strict=True,
    ):
        assert first.folder(tmp_path) == again.folder(tmp_path)
