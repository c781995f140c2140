"""Real and synthetic images side by side in a classifier's features (the paper's Figure 4).

`feature_space` says how. The picture is the paper's; the number beside it, how far a set
mixes with the real images, is this suite's, since no table can be made of a picture.
"""

import csv
import io
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
import torch

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import Machine, Work
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.workloads import TestStep, Workload, network_of
from benchmarks.evaluation.feature_space import (
    mixing,
    principal,
    stage_features,
    stage_names,
    t_sne,
)
from benchmarks.synthesis.image_sets import synthetic_source
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.real_images import load_real
from naturalinversion.classifiers.weights import WEIGHTS, load_teacher
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.files import write_atomically
from naturalinversion.progress import bar
from naturalinversion.seeds import derive, generator
from naturalinversion.teacher.teacher import Teacher

FILE = "embedding.csv"
REAL = "real"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sets`` names the synthetic sets and says how many batches to take of their inputs
    ``images-<name>-0``, ``images-<name>-1``, …; ``images`` how many images of each set, the real
    one included.

    ``stages`` are some of ``block 1``, ``block 2``, … and ``embedding``; none given: all. Maps are
    averaged to ``pool`` pixels a side, then come ``components`` principal components and t-SNE with
    ``perplexity`` and ``iterations``. ``neighbours`` is for the number only.
    """

    dataset: str
    image_size: int
    seed: int
    images: int
    sets: dict[str, list[int]]
    stages: list[str] = []
    pool: int = 4
    components: int = 50
    perplexity: float = 30.0
    iterations: int = 1000
    neighbours: int = 10


def run(work: Work, recipe: Recipe) -> Metrics:
    """Write ``embedding.csv`` (stage,set,x,y) and return ``mixing_<set>_<stage>`` of each."""
    _check(work, recipe)
    teacher = load_teacher(work.inputs["teacher"] / WEIGHTS, work.machine.torch_device())
    stages = _stages(work, recipe, teacher)
    features = {
        name: stage_features(teacher, source.to(teacher.device), stages, recipe.pool)
        for name, source in _sources(work, recipe, teacher).items()
    }
    rows: list[tuple[str, str, float, float]] = []
    metrics: Metrics = {"points": recipe.images * len(features)}
    with bar(len(stages), work.title) as progress:
        for stage in stages:
            found = {name: of.pop(stage) for name, of in features.items()}
            seed = derive(recipe.seed, "embedding", stage)
            for name in recipe.sets:
                metrics[metric_of(name, stage)] = mixing(
                    found[REAL],
                    found[name],
                    neighbours=recipe.neighbours,
                    components=recipe.components,
                    seed=seed,
                )
            points = principal(np.concatenate(list(found.values())), recipe.components, seed)
            plane = t_sne(points, recipe.perplexity, recipe.iterations, seed)
            names = [name for name, values in found.items() for _ in values]
            rows += [(stage, n, *xy) for n, xy in zip(names, plane.tolist(), strict=True)]
            work.log.info("%s done: %d points", stage, len(plane))
            progress(1)
    _write(work, rows)
    return metrics


def metric_of(name: str, stage: str) -> str:
    """The metric's name for the set ``name`` at ``stage``: ``mixing_ni_adi_block1`` for NI+ADI."""
    return f"mixing_{re.sub('[^a-z0-9]+', '_', name.lower())}_{stage.replace(' ', '')}"


def _check(work: Work, recipe: Recipe) -> None:
    """One line before anything is loaded, where scikit-learn would complain after minutes."""
    if not recipe.sets or REAL in recipe.sets:
        raise UsageError(f"{work.title}: one synthetic set or more is needed, none named '{REAL}'")
    if len({metric_of(name, "") for name in recipe.sets}) < len(recipe.sets):
        raise UsageError(f"{work.title}: sets with too similar names: {', '.join(recipe.sets)}")
    sets = 1 + len(recipe.sets)
    least = max(
        -(-recipe.components // 2),  # two sets alone are projected for the mixing
        recipe.neighbours // 2 + 1,
        int(3 * recipe.perplexity / sets) + 1,
    )
    if recipe.images < least:
        raise UsageError(
            f"{work.title}: {recipe.images} images of each of {sets} sets are too few for "
            f"{recipe.components} components, perplexity {recipe.perplexity:g} and "
            f"{recipe.neighbours} neighbours: {least} or more"
        )


def _stages(work: Work, recipe: Recipe, teacher: Teacher) -> Sequence[str]:
    """The stages asked for, fine to coarse."""
    known = stage_names(teacher)
    if unknown := [name for name in recipe.stages if name not in known]:
        raise UsageError(
            f"{work.title}: the classifier has no stage '{unknown[0]}': {', '.join(known)}"
        )
    return [name for name in known if not recipe.stages or name in recipe.stages]


def _sources(work: Work, recipe: Recipe, teacher: Teacher) -> dict[str, DeviceDataset]:
    """The real images, then the synthetic sets by name: t-SNE depends on the order of points."""
    return {REAL: _real(work, recipe, teacher)} | {
        name: synthetic_source(work, recipe.sets[name], recipe.images, f"images-{name}-")
        for name in sorted(recipe.sets)
    }


def _real(work: Work, recipe: Recipe, teacher: Teacher) -> DeviceDataset:
    """So many images of the training split, drawn at random without repeats."""
    split = load_real(work, recipe.dataset, recipe.image_size).train
    if recipe.images > len(split):
        raise BenchmarkError(
            f"{work.title}: {recipe.images} images are asked for, {recipe.dataset} has {len(split)}"
        )
    draws = generator(derive(recipe.seed, "embedding", REAL))
    chosen = torch.randperm(len(split), generator=draws)[: recipe.images].sort().values
    mean, std = torch.tensor(teacher.mean), torch.tensor(teacher.std)
    return DeviceDataset(split.images[chosen], split.labels[chosen], mean, std)


def _write(work: Work, rows: Sequence[tuple[str, str, float, float]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["stage", "set", "x", "y"])
    writer.writerows((stage, name, f"{x:.6g}", f"{y:.6g}") for stage, name, x, y in rows)
    write_atomically(work.folder / FILE, buffer.getvalue().encode())


@dataclass(frozen=True)
class LayoutStep:
    """t-SNE of so many points, one stage; always on the CPU, in one thread."""

    points: int
    components: int
    perplexity: float
    iterations: int

    shared: ClassVar[bool] = False

    def seconds(self, machine: Machine) -> float:
        """Time on a few points, scaled: it grows like n log n.

        The first 250 iterations draw the points together and take longer than those after them.
        """
        few = min(self.points, max(_TIMED_POINTS, int(3 * self.perplexity) + 1))
        noise = np.random.default_rng(0).normal(size=(few, self.components)).astype(np.float32)

        def taken(iterations: int) -> float:
            started = time.perf_counter()
            t_sne(noise, self.perplexity, iterations, 0)
            return time.perf_counter() - started

        taken(_EARLY)  # imports
        early = taken(_EARLY)
        later = max(taken(2 * _EARLY) - early, early / 10) / _EARLY
        size = self.points * np.log(self.points) / (few * np.log(few))
        return float(size * (early + later * (self.iterations - _EARLY)))


_TIMED_POINTS, _EARLY = 300, 250


def workload(cell: Cell, classes: int, train: int, test: int) -> Workload:
    """A pass over every set, and one t-SNE of all points for every stage."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    network = network_of(cell.inputs["teacher"], classes)
    stages = recipe.stages or stage_names(network.teacher(torch.device("cpu")))
    points = recipe.images * (1 + len(recipe.sets))
    layout = LayoutStep(points, recipe.components, recipe.perplexity, recipe.iterations)
    return {TestStep(network): points, layout: len(stages)}
