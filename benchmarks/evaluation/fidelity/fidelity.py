"""How close images come to real ones: Inception Score, FID, KID, precision, recall, PRD.

The images judged are synthetic, or, for the floor that no method can be expected to pass, real
ones of the test split. The reference is the whole real training split.
"""

from pathlib import Path

import msgspec
import torch
from torch import Tensor

from benchmarks.datasets.dataset import Split
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import Work
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.workloads import Workload
from benchmarks.evaluation.fidelity.border import frame
from benchmarks.evaluation.fidelity.extractors import find
from benchmarks.evaluation.fidelity.step import FeatureStep, RealFeatures
from benchmarks.synthesis.image_sets import synthetic_pixels
from benchmarks.training.real_images import load_real
from naturalinversion.errors import BenchmarkError
from naturalinversion.images import PixelMapping
from naturalinversion.progress import bar
from naturalinversion.seeds import derive, generator


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``batches`` says how many batches to take of ``images0``, ``images1``, …, and ``images`` how
    many images of them all, 0 for every one.

    Without ``batches`` so many real test images, drawn at random, stand in their place; ``pixels``
    then only says whose floor it is.
    """

    dataset: str
    image_size: int
    extractor: str
    pixels: PixelMapping
    images: int
    batches: list[int]
    seed: int
    neighbours: int = 3
    splits: int = 10
    clusters: int = 20
    clustering_runs: int = 5


def run(work: Work, recipe: Recipe) -> Metrics:
    """Compare with the real training images. ``evaluated`` is how many images were judged.

    ``frame`` is how much darker than the middle their edge is, ``reference_frame`` the real ones'.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from benchmarks.evaluation.fidelity.features import (  # these take seconds to import
        extract,
        real_features,
    )
    from benchmarks.evaluation.fidelity.metrics import Settings, measure, require

    device = work.machine.torch_device()
    extractor = find(recipe.extractor, work.data.inception_weights, work.data.download)
    dataset = load_real(work, recipe.dataset, recipe.image_size)
    reference = dataset.train.images
    images = _images(work, recipe, dataset.test)
    settings = Settings(
        recipe.neighbours, recipe.splits, recipe.clusters, recipe.clustering_runs, recipe.seed
    )
    require(len(images), len(reference), settings)
    with bar(len(images) + len(reference), work.title, "img") as progress:
        real = real_features(reference, extractor, device, _cache(work.folder), progress)
        judged = extract(images, extractor, device, progress)
    with threadpool_limits(work.machine.threads):  # numpy and scikit-learn would take all cores
        found = measure(judged, real, extractor.layers, settings, device)
    return {
        **found,
        "frame": frame(images),
        "reference_frame": frame(reference),
        "evaluated": len(images),
        "reference_images": len(reference),
        "extractor": extractor.display,
        "pixels": recipe.pixels,
        "data_fingerprint": dataset.fingerprint,
    }


def workload(cell: Cell, classes: int, train: int, test: int) -> Workload:
    """The images judged and the real ones; those are kept, so later cells take less."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    images = sum(
        count * int(cell.inputs[f"images{index}"].recipe["batch_size"])
        for index, count in enumerate(recipe.batches)
    )
    if not recipe.batches:
        images = test
    real = RealFeatures(recipe.extractor, recipe.dataset, recipe.image_size)
    return {FeatureStep(recipe.extractor): recipe.images or images, real: train}


def _images(work: Work, recipe: Recipe, test: Split) -> Tensor:
    """What is judged, uint8 (N, 3, H, W)."""
    if not recipe.batches:
        return _drawn(work, recipe, test)
    images = synthetic_pixels(work, recipe.batches, recipe.images, recipe.pixels)
    height, width = images.shape[-2:]
    if (height, width) != (recipe.image_size, recipe.image_size):
        raise BenchmarkError(
            f"{work.title}: the synthetic images have {width}x{height} pixels, "
            f"the real ones {recipe.image_size}x{recipe.image_size}"
        )
    return images


def _drawn(work: Work, recipe: Recipe, test: Split) -> Tensor:
    if recipe.images > len(test):
        raise BenchmarkError(
            f"{work.title}: {recipe.images} test images are asked for, there are {len(test)}"
        )
    order = torch.randperm(len(test), generator=generator(derive(recipe.seed, "floor")))
    return test.images[order[: recipe.images or len(test)]]


def _cache(folder: Path) -> Path:
    """What cells of one run share: ``runs/cache``, beside ``runs/<kind>/<cell>``."""
    return folder.parent.parent / "cache"
