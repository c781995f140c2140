"""Real and synthetic images in the teacher's features: number, file, and what is refused."""

import csv
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.datasets.load import load
from benchmarks.engine.cell import Cell, make_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import RandomClassifier
from benchmarks.evaluation.feature_space import (
    mixing,
    pca,
    stage_features,
    stage_names,
    t_sne,
)
from benchmarks.evaluation.tsne import FILE, Recipe, TsneStep, count_steps, metric_of, run
from benchmarks.recipes.schema import TsneProtocol
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.training_steps import ForwardStep
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.shards import write_shard
from naturalinversion.seeds import seeded
from naturalinversion.teacher.teacher import Teacher

SIZE, BATCHES = 40, 3
MEAN, STD = (0.3055, 0.3055, 0.3055), (0.3234, 0.3234, 0.3234)
DESCRIPTION = Classifier("resnet18", 10, 0.0625, 16, MEAN, STD)
STAGES = ["block 1", "block 2", "block 3", "block 4", "embedding"]
RECIPE = Recipe(
    dataset="digits",
    image_size=16,
    seed=0,
    tsne=TsneProtocol(
        images=100, pool=4, components=20, perplexity=30.0, iterations=250, neighbours=10
    ),
    sets={"twin": ImageSelection([2, 1], 100), "far": ImageSelection([3], 100)},
)
FEW = {"images": 50, "perplexity": 5.0}  # where the picture doesn't matter


def digits() -> Tensor:
    """Real images in teacher space, in an order that knows no class."""
    split = load("digits", root=Path("nowhere"), image_size=16).train
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(8))
    return (split.images[order] / 255 - MEAN[0]) / STD[0]


def write_set(cell: Path, images: Tensor, batches: int) -> Path:
    folder = cell / IMAGES
    folder.mkdir(parents=True)
    write_meta(folder, Meta("copy", "", 10, (3, 16, 16), MEAN, STD, 0, SIZE, batches))
    for batch in range(batches):
        part = images[batch * SIZE : (batch + 1) * SIZE]
        write_shard(folder, batch, part, torch.zeros(SIZE, dtype=torch.int64))
    return cell


def teacher() -> Teacher:
    """Random weights, and batch norms that have seen digits."""
    model = DESCRIPTION.build(4)
    with seeded(0), torch.no_grad():
        for batch in digits()[:300].split(100):
            model(batch)
    return Teacher.from_classifier(model, DESCRIPTION)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher, digits like any others in two cells, and images of another kind."""
    root = tmp_path_factory.mktemp("inputs")
    (root / "teacher").mkdir()
    save_classifier(root / "teacher" / WEIGHTS, teacher().model, DESCRIPTION)
    real = digits()
    faint = (0.1 * (real[:120] * STD[0] + MEAN[0]) - MEAN[0]) / STD[0]
    noise = torch.randn(3 * SIZE, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return {
        "teacher": root / "teacher",
        "images-twin-0": write_set(root / "twin0", real[:80], 2),
        "images-twin-1": write_set(root / "twin1", real[80:160], 2),
        "images-far-0": write_set(root / "far", 3 + 2 * real[:120] + 3 * noise, 3),
        "images-faint-0": write_set(root / "faint", faint, 3),
    }


def recipe(images: int = 100, **changes: Any) -> Recipe:
    """With ``images`` of each set, and changes in t-SNE's protocol or beside it."""
    own = {name: changes.pop(name) for name in ("components", "perplexity") if name in changes}
    protocol = msgspec.structs.replace(RECIPE.tsne, images=images, **own)
    sets = changes.pop("sets", RECIPE.sets)
    sets = {name: msgspec.structs.replace(one, count=images) for name, one in sets.items()}
    return msgspec.structs.replace(RECIPE, tsne=protocol, sets=sets, **changes)


def make(folder: Path, inputs: dict[str, Path], **changes: Any) -> tuple[Metrics, Path]:
    folder.mkdir()
    log = logging.getLogger("test")
    context = CellContext(folder, inputs, Machine(), DataOptions(folder), "figure4", log)
    return run(context, recipe(**changes)), folder / FILE


def rows_of(path: Path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_a_row_per_image_and_stage_and_a_number_per_set_and_stage(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    metrics, path = make(tmp_path / "a", inputs)
    header, *rows = rows_of(path)
    assert header == ["stage", "set", "x", "y"]
    assert Counter((stage, name) for stage, name, _, _ in rows) == {
        (stage, name): 100 for stage in STAGES for name in ("real", "far", "twin")
    }
    assert list(dict.fromkeys(stage for stage, *_ in rows)) == STAGES
    for text in (value for *_, x, y in rows for value in (x, y)):
        assert np.isfinite(float(text))
        assert len(text.split("e")[0].strip("-0.").replace(".", "")) <= 6
    slugs = [stage.replace(" ", "") for stage in STAGES]
    assert metrics.pop("points") == 300
    digits = load("digits", root=Path("nowhere"), image_size=16)
    assert (metrics.pop("data_fingerprint"), metrics.pop("test_images")) == (
        digits.fingerprint,
        500,
    )
    assert set(metrics) == {f"mixing_{name}_{slug}" for name in ("far", "twin") for slug in slugs}
    for slug in slugs:
        twin, far = metrics[f"mixing_twin_{slug}"], metrics[f"mixing_far_{slug}"]
        assert isinstance(twin, float)
        assert isinstance(far, float)
        assert 0.4 < twin < 0.6, slug
        assert far < 0.05, slug


def test_neither_order_nor_company_of_the_sets_changes_the_number(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    both, path = make(tmp_path / "a", inputs, **FEW)
    turned = {name: RECIPE.sets[name] for name in reversed(RECIPE.sets)}
    _, same = make(tmp_path / "b", inputs, sets=turned, **FEW)
    assert same.read_bytes() == path.read_bytes()
    alone, _ = make(tmp_path / "c", inputs, sets={"far": RECIPE.sets["far"]}, **FEW)
    assert alone["mixing_far_block2"] == both["mixing_far_block2"]
    _, other = make(tmp_path / "d", inputs, seed=1, **FEW)
    assert other.read_bytes() != path.read_bytes()


def test_a_set_is_shown_as_it_is_stored_or_as_pixels_of_it(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    """Faint digits lie apart; stretched as a writer of files does it, they are like any others."""
    found = {}
    for pixels in ("stored", "denormalize", "minmax", "own"):
        sets = {"faint": ImageSelection([3], 100, pixels)}
        metrics, _ = make(tmp_path / pixels, inputs, sets=sets, **FEW)
        found[pixels] = float(str(metrics["mixing_faint_embedding"]))
    assert found["minmax"] > 0.4
    assert max(found["stored"], found["denormalize"]) < 0.1
    assert found["own"] == found["denormalize"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"images": 24, "components": 50},
            UsageError,
            "24 images of each of 3 sets .*: 31 or more",
        ),
        ({"images": 9}, UsageError, "too few for .* perplexity 30 and 10 neighbours"),
        ({"images": 24, "perplexity": 5.0, "components": 50}, UsageError, "25 or more"),
        ({"images": 121}, BenchmarkError, "121 images .* there are 120 in images-far"),
        ({"images": 1298}, BenchmarkError, "1298 images .* digits has 1297"),
        ({"sets": {}}, UsageError, "one synthetic set or more"),
        ({"sets": {"real": ImageSelection([1], 1)}}, UsageError, "none named 'real'"),
        (
            {"sets": dict.fromkeys(("NI", "ni"), ImageSelection([1], 1))},
            UsageError,
            "too similar names: NI, ni",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    changes: dict[str, Any],
    error: type[BenchmarkError],
    message: str,
    inputs: dict[str, Path],
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=f"^figure4: .*{message}") as caught:
        make(tmp_path / "a", inputs, **changes)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "a").iterdir())


def normal(seed: int, shift: float = 0.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    draws = np.random.default_rng(seed).normal(size=(400, 60)) + shift
    return draws.astype(np.float32)


def test_a_set_may_go_by_its_title() -> None:
    assert metric_of("NI+ADI", "block 1") == "mixing_ni_adi_block1"
    assert metric_of("ni_adi", "block 1") == "mixing_ni_adi_block1"


def test_mixing_is_a_half_for_the_same_distribution_and_nothing_for_another() -> None:
    settings = {"neighbours": 10, "components": 20, "seed": 0}
    assert mixing(normal(0), normal(1), **settings) == pytest.approx(0.5, abs=0.03)
    assert mixing(normal(0), normal(1, shift=5), **settings) == 0
    copies = np.repeat(normal(1)[:4], 100, axis=0)
    assert mixing(normal(0), copies, **settings) == 0, "copies have each other"
    assert mixing(normal(0), normal(1) / 10, **settings) < 0.2, "a lump amid the real images"
    with pytest.raises(ValueError, match="not as many"):
        mixing(normal(0), normal(1)[:9], **settings)


def test_mixing_counts_the_nearest_neighbours_without_the_image_itself() -> None:
    """Along all components distances are those of the features."""
    real, synthetic = normal(0)[:40, :3], normal(1)[:40, :3]
    points = np.concatenate([real, synthetic]).astype(float)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances[40:].argsort(axis=1)
    for neighbours in (1, 4, 9):
        expected = (nearest[:, :neighbours] < 40).sum() / (40 * neighbours)
        found = mixing(real, synthetic, neighbours=neighbours, components=3, seed=0)
        assert found == pytest.approx(expected, abs=1e-9)


def test_features_are_averaged_to_the_pool_and_no_finer() -> None:
    frozen, mean, std = teacher(), torch.tensor(MEAN), torch.tensor(STD)
    source = DeviceDataset(digits()[:30], torch.zeros(30, dtype=torch.int64), mean, std)
    assert stage_names(frozen) == STAGES
    found = stage_features(frozen, source, 4, batch_size=7)
    channels = [stage.channels for stage in frozen.stages]
    sides = [min(4, *stage.size) for stage in frozen.stages]
    assert [of.shape for of in found.values()] == [
        *((30, c * s * s) for c, s in zip(channels, sides, strict=True)),
        (30, channels[-1]),
    ]
    maps = frozen.observe(source.batch(slice(3, 4)), maps=True).maps[0]  # (1, C, 16, 16)
    corner = maps[0, :, :4, :4].mean(dim=(1, 2)).numpy()
    assert found["block 1"][3].reshape(-1, 4, 4)[:, 0, 0] == pytest.approx(corner, abs=1e-5)


def test_neighbours_stay_neighbours_on_the_plane() -> None:
    points = pca(np.concatenate([normal(0), normal(1, shift=4)]), 20, 0)
    assert points.shape == (800, 20)
    assert pca(points[:, :7], 20, 0).shape == (800, 7), "no more components than features"
    plane = t_sne(points, 30.0, 300, 0)
    near, far = plane[:400].mean(axis=0), plane[400:].mean(axis=0)
    spread = max(plane[:400].std(), plane[400:].std())
    assert np.linalg.norm(near - far) > 2 * spread


def test_its_steps_are_images_and_stages() -> None:
    classifier = {"arch": "resnet18", "width": 0.0625, "image_size": 16, "dataset": "digits"}
    inputs = {"teacher": Cell("classifier", "t", classifier)}
    network = RandomClassifier("resnet18", 0.0625, 16, 10)
    cell = make_cell("tsne", "t", recipe(), inputs)
    layout = TsneStep(300, 20, 30.0, 250)
    assert count_steps(cell, 10, 1297, 500) == {ForwardStep(network): 300, layout: 5}
    assert 0 < TsneStep(200, 5, 10.0, 250).seconds(Machine()) < 60
