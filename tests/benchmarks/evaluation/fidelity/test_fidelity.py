"""The kind ``fidelity``: what it judges, refuses, records and plans."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

from benchmarks.datasets.load import load
from benchmarks.engine.cell import make_cell
from benchmarks.engine.cell_runner import run_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.evaluation.fidelity import fidelity
from benchmarks.evaluation.fidelity.extractors import Extractor
from benchmarks.recipes.schema import FidelityMetrics
from benchmarks.synthesis.image_sets import ImageSelection, ReadPixels
from benchmarks.tables.registry import KINDS
from naturalinversion.errors import BenchmarkError, MissingError, UsageError
from naturalinversion.image_store.meta import Meta, write_meta
from naturalinversion.image_store.shards import write_shard
from tests.benchmarks.evaluation.fidelity.tiny import INCEPTION, noise

MACHINE = Machine("cpu", "fp32", 1)


def stored(cell: Path, images: Tensor) -> None:
    """A finished synthesis cell with these pixels, in batches of ten."""
    folder = cell / "images"
    folder.mkdir(parents=True)
    zeros, ones = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    shape = (3, images.shape[-2], images.shape[-1])
    count = len(images) // 10
    write_meta(folder, Meta("made", "up", 10, shape, zeros, ones, 0, 10, count))
    for index, batch in enumerate(torch.split(images, 10)):
        write_shard(folder, index, batch.float() / 255, torch.zeros(10, dtype=torch.int64))


PROTOCOL = FidelityMetrics(
    extractor="tiny",
    reference="train",
    neighbours=3,
    splits=10,
    clusters=20,
    clustering_runs=5,
)


def recipe(
    count: int,
    batches: Sequence[int] = (),
    seed: int = 0,
    pixels: ReadPixels = "denormalize",
    **changes: Any,
) -> fidelity.Recipe:
    """``count`` of the images in ``batches``, or of the real images of the other split."""
    protocol = structs.replace(PROTOCOL, **changes)
    images = ImageSelection(list(batches), count, pixels if batches else "own")
    return fidelity.Recipe(
        dataset="digits", image_size=8, seed=seed, fidelity=protocol, images=images
    )


def context(runs: Path, **inputs: Path) -> CellContext:
    folder = runs / "fidelity" / "cell"
    log = logging.getLogger("test")
    return CellContext(folder, inputs, MACHINE, DataOptions(runs), "fidelity of a toy", log)


def test_the_kind_tells_real_from_noise(
    tiny: Extractor, tmp_path: Path, counted: list[int]
) -> None:
    floor = fidelity.run(context(tmp_path), recipe(300))
    assert (floor["evaluated"], floor["reference_images"]) == (300, 1297)
    assert (floor["extractor"], floor["pixels"]) == (tiny.display, "own")
    assert floor["reference"] == "train"
    assert "images" not in floor, "none were made"
    assert float(str(floor["precision"])) > 0.7
    assert float(str(floor["recall"])) > 0.7
    assert float(str(floor["f8"])) > 0.9
    assert counted == [1297, 300]
    assert floor["test_images"] == 500
    drawn_again = fidelity.run(context(tmp_path), recipe(300, seed=1))
    assert drawn_again["fid"] != floor["fid"]
    assert drawn_again["fid"] == pytest.approx(floor["fid"], rel=0.5)
    stored(tmp_path / "a", noise(200, 8, 0))
    stored(tmp_path / "b", noise(100, 8, 1))
    inputs = context(tmp_path, images0=tmp_path / "a", images1=tmp_path / "b")
    bad = fidelity.run(inputs, recipe(240, [20, 5]))
    assert bad["evaluated"] == 240
    assert float(str(bad["fid"])) > 20 * float(str(floor["fid"]))
    assert max(float(str(bad["precision"])), float(str(bad["recall"]))) < 0.05
    assert counted == [1297, 300, 300, 240], "the real ones are kept"
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 1
    again = fidelity.run(inputs, recipe(240, [20, 5]))
    assert again == bad
    stretched = fidelity.run(inputs, recipe(240, [20, 5], pixels="minmax"))
    assert stretched["fid"] != bad["fid"]
    assert (bad["pixels"], stretched["pixels"]) == ("denormalize", "minmax")
    assert fidelity.run(inputs, recipe(240, [20, 5], pixels="own"))["fid"] == bad["fid"]


def test_the_reference_may_be_the_test_images_and_the_floor_is_then_of_the_others(
    tiny: Extractor, tmp_path: Path, counted: list[int]
) -> None:
    floor = fidelity.run(context(tmp_path), recipe(600, reference="test"))
    assert (floor["evaluated"], floor["reference_images"]) == (600, 500)
    assert floor["reference"] == "test"
    assert counted == [500, 600]
    stored(tmp_path / "a", noise(100, 8, 0))
    inputs = context(tmp_path, images0=tmp_path / "a")
    found = {
        split: fidelity.run(inputs, recipe(100, [10], reference=split))["fid"]
        for split in ("train", "test")
    }
    assert found["train"] != found["test"]
    assert found["train"] == pytest.approx(float(str(found["test"])), rel=0.2)
    with pytest.raises(BenchmarkError, match="1298 train images are asked for, there are 1297"):
        fidelity.run(context(tmp_path), recipe(1298, reference="test"))


def test_the_frame_of_the_images_stands_beside_that_of_the_real_ones(
    tiny: Extractor, tmp_path: Path
) -> None:
    """Bright in the middle and black along the edge, one pixel wide."""
    images = noise(50, 8, 0) // 4
    images[:, :, 1:-1, 1:-1] += 150
    stored(tmp_path / "a", images)
    inputs = context(tmp_path, images0=tmp_path / "a")
    found = fidelity.run(inputs, recipe(50, [5]))
    for name, judged in (
        ("frame", images),
        ("reference_frame", load("digits", root=tmp_path, image_size=8).train.images),
    ):
        greys = judged.double().mean(dim=(0, 1)) / 255  # (8, 8)
        edge = (greys.sum() - greys[1:-1, 1:-1].sum()) / 28
        assert found[name] == pytest.approx(float(greys[2:-2, 2:-2].mean() - edge), abs=1e-5)


def test_numpy_takes_no_more_cores_than_the_machine_gives(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(*arguments: Any) -> dict[str, float]:
        seen.extend(library["num_threads"] for library in threadpool_info())
        return {}

    monkeypatch.setattr("benchmarks.evaluation.fidelity.metrics.measure", look)
    with threadpool_limits(2):
        fidelity.run(context(tmp_path), recipe(50))
    assert set(seen) == {MACHINE.threads}


def test_the_kind_refuses_what_can_not_be_compared(tiny: Extractor, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="501 test images are asked for, there are 500"):
        fidelity.run(context(tmp_path), recipe(501))
    with pytest.raises(BenchmarkError, match=r"^PRD needs 20 images, there are 19"):
        fidelity.run(context(tmp_path), recipe(19))
    stored(tmp_path / "a", noise(30, 16, 0))
    inputs = context(tmp_path, images0=tmp_path / "a")
    with pytest.raises(BenchmarkError, match="have 16x16 pixels, the real ones 8x8"):
        fidelity.run(inputs, recipe(30, [3]))
    with pytest.raises(UsageError, match="metrics need pixels, not images as they are stored"):
        fidelity.run(inputs, recipe(30, [3], pixels="stored"))


def test_a_cell_leaves_a_record_and_missing_weights_end_the_run(
    monkeypatch: pytest.MonkeyPatch, tiny: Extractor, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("benchmarks.engine.cell_runner.set_up_torch", lambda machine: None)
    cell = make_cell("fidelity", "floor", recipe(50), {})
    assert run_cell(cell, KINDS, tmp_path / "runs", MACHINE, DataOptions(tmp_path)) == "computed"
    assert (cell.folder(tmp_path / "runs") / "record.json").is_file()
    assert len(list((tmp_path / "runs" / "cache").glob("tiny@*.safetensors"))) == 1
    cell = make_cell("fidelity", "floor", recipe(50, extractor=INCEPTION), {})
    with pytest.raises(MissingError, match="--inception-weights") as caught:
        run_cell(cell, KINDS, tmp_path / "runs", MACHINE, DataOptions(tmp_path))
    assert caught.value.exit_code == 3


def test_the_plan_counts_the_images_judged_and_the_real_ones(tiny: Extractor) -> None:
    cell = make_cell("fidelity", "judged", recipe(100, [3]), {})
    judged, real = fidelity.count_steps(cell, 10, 1297, 500).items()
    assert [count for _, count in (judged, real)] == [100, 1297]
    assert [step.shared for step, _ in (judged, real)] == [False, True]
    assert all(0 < step.seconds(MACHINE) < 1 for step, _ in (judged, real))
    other = make_cell("fidelity", "judged", recipe(100, [3], reference="test"), {})
    (_, first), (of_test, count) = fidelity.count_steps(other, 10, 1297, 500).items()
    assert (first, count) == (100, 500)
    assert of_test != real, "features of the one split are not those of the other"
