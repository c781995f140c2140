"""How close images come to real ones: Inception Score, FID, KID, precision, recall, PRD.

The images judged are synthetic, or, for the floor that no method can be expected to pass, real
ones of the other split. The reference is the whole real training split, or the whole test split.
"""

from pathlib import Path

import msgspec
import torch
from torch import Tensor

from benchmarks.datasets.dataset import Split
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import StepCounts
from benchmarks.evaluation.fidelity.border import border_contrast
from benchmarks.evaluation.fidelity.extractors import FeatureStep, RealFeatures, find_extractor
from benchmarks.recipes.schema import FidelityMetrics
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.progress import bar
from naturalinversion.seeds import derive, generator


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """Where ``images`` names no batches, so many real images of the split that is not the
    reference, drawn at random, stand in their place.
    """

    seed: int
    fidelity: FidelityMetrics
    images: ImageSelection


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Compare with the real images. ``evaluated`` is how many images were judged.

    ``frame`` is how much darker their border is than their middle, ``reference_frame`` the same of
    the real ones.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from benchmarks.evaluation.fidelity.features import (  # these take seconds to import
        cached_real_features,
        extract,
    )
    from benchmarks.evaluation.fidelity.metrics import check_counts, measure

    protocol, device = recipe.fidelity, context.machine.torch_device()
    extractor = find_extractor(
        protocol.extractor, context.data.inception_weights, context.data.download
    )
    dataset = load_real(context, recipe)
    splits = {"train": dataset.train, "test": dataset.test}
    reference = splits.pop(protocol.reference).images
    images = _images_to_judge(context, recipe, *splits.items())
    check_counts(len(images), len(reference), protocol)
    with bar(len(images) + len(reference), context.label, "img") as progress:
        real = cached_real_features(reference, extractor, device, _cache(context.folder), progress)
        judged = extract(images, extractor, device, progress)
    with threadpool_limits(context.machine.threads):  # numpy and scikit-learn would take all cores
        found = measure(judged, real, extractor.layers, protocol, recipe.seed, device)
    return {
        **found,
        "frame": border_contrast(images),
        "reference_frame": border_contrast(reference),
        "evaluated": len(images),
        "reference_images": len(reference),
        "extractor": extractor.display,
        "pixels": recipe.images.pixels,
        "reference": protocol.reference,
        **provenance_of(dataset),
    }


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """The images judged and the real ones; those are kept, so later cells take less."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    extractor = recipe.fidelity.extractor
    split = recipe.fidelity.reference
    real = RealFeatures(extractor, recipe.dataset, recipe.image_size, split)
    return {FeatureStep(extractor): recipe.images.count, real: train if split == "train" else test}


def _images_to_judge(context: CellContext, recipe: Recipe, other: tuple[str, Split]) -> Tensor:
    """uint8 (N, 3, H, W); ``other`` is the split that real ones are drawn from, by its name."""
    if not recipe.images.batches:
        return _drawn(context, recipe, *other)
    images = recipe.images.load(context)[0]
    if images.dtype != torch.uint8:
        raise UsageError(f"{context.label}: metrics need pixels, not images as they are stored")
    height, width = images.shape[-2:]
    if (height, width) != (recipe.image_size, recipe.image_size):
        raise BenchmarkError(
            f"{context.label}: the synthetic images have {width}x{height} pixels, "
            f"the real ones {recipe.image_size}x{recipe.image_size}"
        )
    return images


def _drawn(context: CellContext, recipe: Recipe, name: str, split: Split) -> Tensor:
    if recipe.images.count > len(split):
        raise BenchmarkError(
            f"{context.label}: {recipe.images.count} {name} images are asked for, "
            f"there are {len(split)}"
        )
    order = torch.randperm(len(split), generator=generator(derive(recipe.seed, "floor")))
    return split.images[order[: recipe.images.count]]


def _cache(folder: Path) -> Path:
    """What cells of one run share: ``runs/cache``, beside ``runs/<kind>/<cell>``."""
    return folder.parent.parent / "cache"
