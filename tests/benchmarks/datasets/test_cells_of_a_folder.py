"""Cells of somebody's own images: their keys follow what lies in the folder."""

import logging
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.engine.cell import with_inputs
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.resolve import NOWHERE, Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import read_table
from benchmarks.training.classifier import Recipe
from benchmarks.training.real_images import load_real
from naturalinversion.errors import UsageError
from tests.benchmarks.datasets.trees import MakeTree

NAME = "imagefolder:own"
READING = {
    *("classifier", "distillation", "scratch", "fidelity", "pruning", "tsne", "wgan_gp"),
    "joint_student",
}


@pytest.fixture
def folder(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_tree()
    monkeypatch.chdir(made.parent)
    return made


def cells(name: str = NAME, root: Path = NOWHERE) -> dict[str, set[str]]:
    """Keys of all that the paper's tables need, by kind."""
    found: dict[str, set[str]] = {}
    for table in ("table1", "table2", "table5", "figure4", "figure6"):
        planned = expand(read_table(table), Recipes("demo", name, data_root=root), [0])
        for cell in with_inputs(planned.targets):
            found.setdefault(cell.kind, set()).add(cell.key)
    return found


def test_every_cell_is_another_when_the_images_are(folder: Path) -> None:
    before = cells()
    assert set(before) == {*READING, "synthesis"}
    assert cells() == before
    image = folder / "train" / "class0" / "0.png"
    shutil.copyfile(image, image.with_name("one-more.png"))
    after = cells()
    for kind, keys in before.items():
        assert len(after[kind]) == len(keys)
        assert not after[kind] & keys, kind


def test_no_cell_is_another_when_the_folder_is_moved_or_spelt_otherwise(folder: Path) -> None:
    before = cells()
    assert cells(f"imagefolder:{folder}/") == before
    folder.rename(folder.with_name("moved"))
    assert cells("imagefolder:moved") == before


def test_a_label_has_a_short_path_whole_and_the_beginning_of_a_long_one(
    make_tree: MakeTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short, long = "a" * 29 + "/" + "b" * 30, ["/".join(["c" * 120] * 2 + [end]) for end in "de"]
    labels = []
    for path in (short, *long):
        make_tree(path, size=8)
        teacher = Pipeline(Recipes("demo", f"imagefolder:{path}").resolve("resnet34"), 0).teacher
        labels.append(teacher.label)
    assert labels[0] == f"{short.replace('/', '_')}-resnet34-s0"
    assert all(re.fullmatch(r"c{51}-[0-9a-f]{8}-resnet34-s0", label) for label in labels[1:])
    assert len(set(labels)) == 3, "two folders whose paths begin alike"


def test_a_completed_copy_of_cifar_makes_no_use_of_the_cells_of_half_of_it(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.datasets.cifar_layout.IMAGES", {"train": 40, "test": 20})
    tree = make_tree("cifar10", classes=10)
    image = tree / "train" / "class0" / "0.png"
    whole, pixels = cells("cifar10", tree.parent), image.read_bytes()
    assert whole == cells("cifar10"), "a whole copy is its name, like torchvision's layout"
    image.unlink()
    half = cells("cifar10", tree.parent)
    for kind, keys in whole.items():
        assert len(half[kind]) == len(keys)
        assert not half[kind] & keys, kind
    image.write_bytes(pixels)
    assert cells("cifar10", tree.parent) == whole
    own = cells(f"imagefolder:{tree}")
    assert not own["classifier"] & (whole["classifier"] | half["classifier"])


def test_a_cell_of_a_whole_cifar_is_not_made_of_half_of_it(make_tree: MakeTree) -> None:
    tree = make_tree("cifar10", classes=10)
    teacher = Pipeline(Recipes("demo", "cifar10").resolve("resnet34"), 0).teacher
    data, log = DataOptions(tree.parent), logging.getLogger("test")
    context = CellContext(tree, {}, Machine("cpu", "fp32", 1), data, "x", log)
    with pytest.raises(UsageError, match=r"^x: the images of cifar10 are not those that"):
        load_real(context, Recipe(**{**teacher.recipe, "image_size": 32}))


def test_a_relative_path_in_another_working_directory_is_other_data(
    folder: Path, make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Pipeline(Recipes("demo", NAME).resolve("resnet34"), 0).teacher
    make_tree("there/own", classes=2)
    monkeypatch.chdir(folder.parent / "there")
    assert Pipeline(Recipes("demo", NAME).resolve("resnet34"), 0).teacher.key != before.key


def test_recipes_of_data_sets_known_by_name_say_nothing_of_it() -> None:
    teacher = Pipeline(Recipes("demo", "digits").resolve("resnet34"), 0).teacher
    assert "content" not in teacher.recipe


def test_images_that_changed_after_the_command_began_are_refused(folder: Path) -> None:
    teacher = Pipeline(Recipes("demo", NAME).resolve("resnet34"), 0).teacher
    context = CellContext(
        folder, {}, Machine("cpu", "fp32", 1), DataOptions(folder), "x", logging.getLogger("test")
    )
    recipe = Recipe(**{**teacher.recipe, "image_size": 32})
    assert len(load_real(context, recipe).train) == 12
    (folder / "train" / "class0" / "0.png").unlink()
    with pytest.raises(UsageError, match=r"^x: the images of imagefolder:own are not those that"):
        load_real(context, recipe)
