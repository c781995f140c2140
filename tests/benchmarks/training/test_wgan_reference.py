"""The cell of WGAN-GP: what it leaves behind, what its images are, what its plan costs."""

import csv
import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from baselines.wgan_settings import WassersteinSettings
from benchmarks.datasets.load import load
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import is_done, run_cell
from benchmarks.engine.checkpoints import TRAINING
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.recipes.overrides import Where
from benchmarks.recipes.recipe_file import RecipeFile
from benchmarks.recipes.resolved import FOLDER
from benchmarks.tables.registry import KINDS
from benchmarks.training import wgan_reference
from naturalinversion.errors import SettingError, UsageError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.pixels import to_pixels
from naturalinversion.image_store.sample_grid import save_rows
from naturalinversion.seeds import generator
from reports.records import read

MACHINE, DATA = Machine("cpu", "fp32", 1), DataOptions(Path("nowhere"))
SETTINGS: dict[str, Any] = {
    "iterations": 3,
    "critic_steps": 2,
    "batch_size": 4,
    "generator_batch_size": 4,
    "latent": 8,
    "width": 0.01,
}
RECIPE: dict[str, Any] = {
    "dataset": "digits",
    "image_size": 8,
    "seed": 5,
    "settings": SETTINGS,
    "batches": 2,
    "batch_size": 35,
}


def make(folder: Path, **changes: Any) -> Metrics:
    folder.mkdir(parents=True, exist_ok=True)
    context = CellContext(folder, {}, MACHINE, DATA, "WGAN-GP", logging.getLogger("test"))
    return wgan_reference.run(context, msgspec.convert(RECIPE | changes, wgan_reference.Recipe))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Metrics]:
    folder = tmp_path_factory.mktemp("wgan") / "cell"
    return folder, make(folder)


def test_the_store_holds_what_was_asked_for(made: tuple[Path, Metrics]) -> None:
    dataset = SyntheticDataset(made[0] / "images")
    images, labels = dataset.tensors()
    assert images.shape == (70, 3, 8, 8)
    assert not labels.any(), "it has no classes"
    meta = dataset.meta
    assert (meta.method, meta.teacher, meta.num_classes) == ("wgan_gp", "", 1)
    assert meta.settings == SETTINGS
    assert len({image.numpy().tobytes() for image in images}) == 70, "every batch its own draws"


def test_its_images_are_pixels_in_the_space_of_the_data_sets_teachers(
    made: tuple[Path, Metrics],
) -> None:
    dataset = SyntheticDataset(made[0] / "images")
    real = load("digits", root=Path("nowhere"), image_size=8)
    assert (dataset.meta.mean, dataset.meta.std) == (real.mean, real.std)
    greys = dataset.tensors()[0].float() * real.std[0] + real.mean[0]
    assert greys.min() > -0.01
    assert greys.max() < 1.01
    pixels = dataset.pixels("denormalize")
    assert pixels.dtype == torch.uint8
    assert (pixels / 255 - greys).abs().max() < 0.01


def test_a_real_image_comes_back_from_what_the_critic_sees() -> None:
    """Every grey survives the critic's range, the noise, float16 and the way back."""
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    seen = wgan_reference.real_sampler(pixels)(50, generator(0))
    assert seen.shape == (50, 3, 16, 16)
    assert seen.min() >= -1
    assert seen.max() <= 1
    assert ((seen + 1) * 128).floor().to(torch.uint8).eq(pixels).all()
    middle = (pixels + 0.5) / 128 - 1
    stored = ((wgan_reference._greys(middle) - 0.3) / 0.25).half()
    assert torch.equal(to_pixels(stored, "denormalize", (0.3,) * 3, (0.25,) * 3), pixels)


def test_the_draws_are_training_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []
    original = wgan_reference.real_sampler

    def spy(pixels: torch.Tensor) -> Any:
        seen.append(pixels)
        return original(pixels)

    monkeypatch.setattr(wgan_reference, "real_sampler", spy)
    make(tmp_path)
    train = load("digits", root=Path("nowhere"), image_size=8).train.images
    assert len(seen) == 1
    assert torch.equal(seen[0], train)


def test_the_metrics_say_that_it_saw_real_images(made: tuple[Path, Metrics]) -> None:
    folder, metrics = made
    assert (metrics["images"], metrics["data_free"]) == (70, 0)
    digits = load("digits", root=Path("nowhere"), image_size=8)
    assert (metrics["data_fingerprint"], metrics["test_images"]) == (digits.fingerprint, 500)
    with open(folder / "losses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert list(rows[0]) == ["iteration", "critic", "wasserstein", "generator"]
    for name in ("critic", "wasserstein", "generator"):
        mean = np.mean([float(row[name]) for row in rows])
        assert metrics[f"final_{name}"] == pytest.approx(mean)


def test_the_grid_shows_the_first_sixty(made: tuple[Path, Metrics], tmp_path: Path) -> None:
    pixels = SyntheticDataset(made[0] / "images").pixels("denormalize")
    with Image.open(made[0] / "grid.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (6 * 8, 10 * 8, 3)
    for place in (0, 9, 10, 59):
        top, left = place // 10 * 8, place % 10 * 8
        found = sheet[top : top + 8, left : left + 8]
        assert np.array_equal(found, pixels[place].permute(1, 2, 0).numpy())
    save_rows(tmp_path / "few.png", pixels[:3])
    with Image.open(tmp_path / "few.png") as picture:
        assert (np.asarray(picture)[8:] == 255).all(), "tiles without an image are white"


def test_the_same_recipe_gives_the_same_bytes(made: tuple[Path, Metrics], tmp_path: Path) -> None:
    assert make(tmp_path) == made[1]
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [str(file) for file in files] == [
        "grid.png",
        "images/batch-00000.safetensors",
        "images/batch-00001.safetensors",
        "images/meta.json",
        "losses.csv",
    ], "and no checkpoint"
    for file in files:
        assert (tmp_path / file).read_bytes() == (made[0] / file).read_bytes(), file


def test_an_interrupted_cell_goes_on_from_its_checkpoint(
    made: tuple[Path, Metrics], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.wgan_gp.CHECK_EVERY", 2)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        checkpoint = wgan_reference.Checkpoint
        changed.setattr(wgan_reference, "Checkpoint", lambda path: checkpoint(path, every=0))
        changed.setattr(wgan_reference, "save_losses", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path)
        assert (tmp_path / TRAINING).is_file()
    monkeypatch.setattr(
        "baselines.wgan_gp.WassersteinGAN._iterate", lambda *_: pytest.fail("trained again")
    )
    assert make(tmp_path) == made[1]


def test_the_runner_writes_its_record(tmp_path: Path) -> None:
    cell = Cell("wgan_gp", "WGAN-GP", RECIPE)
    before = torch.are_deterministic_algorithms_enabled()
    try:
        assert run_cell(cell, KINDS, tmp_path, MACHINE, DATA) == "computed"
    finally:
        torch.use_deterministic_algorithms(before)
    assert is_done(cell, tmp_path)
    record = read(cell.folder(tmp_path) / "record.json")
    assert record.metrics["data_free"] == 0
    assert "grid.png" in record.artefacts


def test_the_plan_counts_and_times_its_iterations() -> None:
    count_steps = wgan_reference.count_steps(Cell("wgan_gp", "WGAN-GP", RECIPE), 10, 1297, 500)
    ((step, count),) = count_steps.items()
    assert count == 3
    assert hash(step) == hash(wgan_reference.WassersteinStep(step.settings, 8))
    assert 0 < step.seconds(MACHINE) < 30


def test_a_large_batch_is_timed_on_a_small_one() -> None:
    settings, cpu = WassersteinSettings(), torch.device("cpu")
    small, factor = wgan_reference._timed(settings, cpu)
    assert (small.batch_size, small.generator_batch_size, factor) == (4, 8, 16)
    assert wgan_reference._timed(small, cpu) == (small, 1)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"critic_step": 5}, UsageError, "critic_step: unknown key"),
        ({"iterations": "many"}, UsageError, "iterations"),
        ({"critic_steps": 0}, SettingError, "critic_steps"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(
    wrong: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        make(tmp_path, settings=SETTINGS | wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("scale", "images", "iterations"),
    [("paper", 51_200, 100_000), ("mini", 25_600, 20_000), ("demo", 300, None)],
)
def test_the_recipe_file_resolves_for_every_scale(
    scale: str, images: int, iterations: int | None
) -> None:
    file = msgspec.toml.decode((FOLDER / "wgan_gp.toml").read_bytes(), type=RecipeFile)
    values: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for layer in file.layer:
        if layer.holds(Where(scale, "cifar10", "")):
            settings |= layer.set.get("settings", {})
            values |= layer.set
    assert values["batches"] * values["batch_size"] == images
    resolved = wgan_reference._settings(settings)
    if iterations is not None:
        assert resolved == WassersteinSettings(iterations=iterations)
