"""WGAN-GP, the reference of Table 1: trained on the real training images, so not data-free."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor

from baselines.wgan_gp import WassersteinGAN, WassersteinPrecision
from baselines.wgan_inputs import RealSampler
from baselines.wgan_settings import WassersteinSettings
from benchmarks.datasets.dataset import Dataset
from benchmarks.engine.cell import Cell
from benchmarks.engine.checkpoints import TRAINING
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import per_step
from benchmarks.recipes.methods import build_method, checked_settings
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import DivergedError
from naturalinversion.image_store.dataset import SyntheticDataset, joined
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.sample_grid import COLUMNS, GRID, ROWS, save_rows
from naturalinversion.image_store.shards import write_shard
from naturalinversion.inversion.loss_history import LOSSES, final_losses, save_losses
from naturalinversion.progress import bar
from naturalinversion.seeds import derive, to_device
from naturalinversion.synthesis import Training

METHOD = "wgan_gp"
CPU_BATCH, TIMED_BATCH = 16, 4  # a batch above the first is timed on the second and scaled


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """``settings`` are those of `WassersteinSettings`; ``batches`` times ``batch_size`` images."""

    seed: int
    settings: dict[str, Any]
    batches: int
    batch_size: int


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Train on the real training split and fill ``images/``; keep a grid and the losses.

    The metric ``data_free`` is 0. The images have no classes: every label is zero. Where the run is
    in bfloat16, this is in TF32.
    """
    settings = _settings(recipe.settings)
    device = context.machine.torch_device()
    dataset = load_real(context, recipe)
    gan = WassersteinGAN(settings, recipe.image_size, device, _precision(context.machine))
    checkpoint = Checkpoint(context.folder / TRAINING)
    with bar(settings.iterations, context.label) as progress:
        gan.train(
            real_sampler(dataset.train.images.to(device)),
            seed=derive(recipe.seed, "training"),
            training=Training(progress, checkpoint.restore, checkpoint.save),
        )
    save_losses(context.folder / LOSSES, gan.losses)
    context.log.info("trained, last losses %s", final_losses(context.folder / LOSSES))
    images = _write_images(context, recipe, gan, dataset)
    first, _ = joined([images], "denormalize", min(len(images), ROWS * COLUMNS))
    save_rows(context.folder / GRID, first)
    return {
        "images": len(images),
        "data_free": 0,
        **provenance_of(dataset),
        **final_losses(context.folder / LOSSES),
    }


def _precision(machine: Machine) -> WassersteinPrecision:
    return "fp32" if machine.precision == "fp32" else "tf32"


def _settings(values: dict[str, Any]) -> WassersteinSettings:
    settings: WassersteinSettings = build_method(METHOD, checked_settings(METHOD, values))
    return settings


def real_sampler(pixels: Tensor) -> RealSampler:
    """Batches of ``pixels`` (N, 3, H, W) uint8, each image drawn independently.

    Uniform noise spreads a grey k over [k, k + 1), which becomes [k, k + 1) / 128 - 1: a critic
    that sees 256 sharp greys would know real images by them. Official code.
    """

    def draw(count: int, draws: torch.Generator) -> Tensor:
        index = to_device(torch.randint(len(pixels), (count,), generator=draws), pixels.device)
        noise = to_device(torch.rand(count, *pixels.shape[1:], generator=draws), pixels.device)
        return (pixels[index] + noise) / 128 - 1

    return draw


def _greys(samples: Tensor) -> Tensor:
    """Samples (N, 3, H, W) in [-1, 1] back to greys in [0, 1], a grey's middle to the grey."""
    return ((samples + 1) * 128 - 0.5) / 255


def _write_images(
    context: CellContext, recipe: Recipe, gan: WassersteinGAN, dataset: Dataset
) -> SyntheticDataset:
    """Samples normalised by the data set's mean and std, which is the space of its teachers."""
    folder = context.folder / IMAGES
    folder.mkdir(exist_ok=True)
    meta = Meta(
        method=METHOD,
        teacher="",
        num_classes=1,
        image_shape=(3, recipe.image_size, recipe.image_size),
        mean=dataset.mean,
        std=dataset.std,
        seed=recipe.seed,
        batch_size=recipe.batch_size,
        batches=recipe.batches,
        settings=recipe.settings,
    )
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (dataset.mean, dataset.std))
    labels = torch.zeros(recipe.batch_size, dtype=torch.int64)
    for index in range(recipe.batches):
        samples = gan.sample(recipe.batch_size, derive(recipe.seed, "sample", index)).cpu()
        if not samples.isfinite().all():
            raise DivergedError(f"batch {index}: the images hold NaN or infinity")
        write_shard(folder, index, (_greys(samples) - mean) / std, labels)
    write_meta(folder, meta)
    return SyntheticDataset(folder)


@dataclass(frozen=True)
class WassersteinStep:
    """One iteration of WGAN-GP: the critic's steps and the generator's."""

    settings: bytes  # JSON
    image_size: int

    shared: ClassVar[bool] = False

    def seconds(self, machine: Machine) -> float:
        """Time per iteration."""
        device = machine.torch_device()
        settings, factor = _timed(_settings(msgspec.json.decode(self.settings)), device)
        draw = real_sampler(torch.zeros(1, 3, self.image_size, self.image_size, device=device))

        def run(iterations: int) -> None:
            few = replace(settings, iterations=iterations)
            gan = WassersteinGAN(few, self.image_size, device, _precision(machine))
            gan.train(draw, seed=0)

        return factor * per_step(run, device)


def _timed(
    settings: WassersteinSettings, device: torch.device
) -> tuple[WassersteinSettings, float]:
    """``settings`` with batches that a CPU can time, and the factor from their time to the true."""
    if device.type == "cuda" or settings.batch_size <= CPU_BATCH:
        return settings, 1.0
    factor = settings.batch_size / TIMED_BATCH
    of_generator = max(2, round(settings.generator_batch_size / factor))
    small = replace(settings, batch_size=TIMED_BATCH, generator_batch_size=of_generator)
    return small, factor


def count_steps(cell: Cell, classes: int, train: int, test: int) -> dict[WassersteinStep, int]:
    """The iterations of the training; the samples cost next to nothing beside them."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    settings = msgspec.json.encode(recipe.settings, order="sorted")
    return {WassersteinStep(settings, recipe.image_size): _settings(recipe.settings).iterations}
