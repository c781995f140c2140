"""Real and synthetic images side by side in a classifier's features (the paper's Figure 4).

`feature_space` says how. The picture is the paper's; the number beside it, how far a set
mixes with the real images, is this suite's, since no table can be made of a picture.
"""

import re
import time
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
import pandas as pd
import torch

from benchmarks.datasets.dataset import Dataset, Split
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import StepCounts, classifier_of
from benchmarks.evaluation.feature_space import mixing, pca, stage_features, stage_names, t_sne
from benchmarks.recipes.schema import TsneProtocol
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of
from benchmarks.training.training_steps import ForwardStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.files import write_atomically
from naturalinversion.progress import bar
from naturalinversion.seeds import derive, generator
from naturalinversion.teacher.teacher import Teacher

FILE = "embedding.csv"
REAL = "real"


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """``sets`` are the synthetic ones by name, each of ``tsne.images`` images like the real one."""

    seed: int
    tsne: TsneProtocol
    sets: dict[str, ImageSelection]


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Write ``embedding.csv`` (stage,set,x,y) and return ``mixing_<set>_<stage>`` of each."""
    protocol = recipe.tsne
    check(context.label, recipe)
    network, description = load_classifier(context.inputs["teacher"] / WEIGHTS)
    teacher = Teacher.from_classifier(network, description, context.machine.torch_device())
    stages = stage_names(teacher)
    dataset = load_real(context, recipe)
    features = {
        name: stage_features(teacher, source.to(teacher.device), protocol.pool)
        for name, source in _sources(context, recipe, teacher, dataset).items()
    }
    rows: list[tuple[str, str, float, float]] = []
    metrics: Metrics = {"points": protocol.images * len(features), **provenance_of(dataset)}
    with bar(len(stages), context.label) as progress:
        for stage in stages:
            found = {name: of.pop(stage) for name, of in features.items()}
            seed = derive(recipe.seed, "embedding", stage)
            for name in recipe.sets:
                metrics[metric_of(name, stage)] = mixing(
                    found[REAL],
                    found[name],
                    neighbours=protocol.neighbours,
                    components=protocol.components,
                    seed=seed,
                )
            points = pca(np.concatenate(list(found.values())), protocol.components, seed)
            plane = t_sne(points, protocol.perplexity, protocol.iterations, seed)
            names = [name for name, values in found.items() for _ in values]
            rows += [(stage, n, *xy) for n, xy in zip(names, plane.tolist(), strict=True)]
            context.log.info("%s done: %d points", stage, len(plane))
            progress(1)
    csv = pd.DataFrame(rows, columns=["stage", "set", "x", "y"]).to_csv(
        index=False, float_format="%.6g", lineterminator="\n"
    )
    write_atomically(context.folder / FILE, csv.encode())
    return metrics


def metric_of(name: str, stage: str) -> str:
    """The metric's name for the set ``name`` at ``stage``: ``mixing_ni_adi_block1`` for NI+ADI."""
    return f"mixing_{in_metrics(name)}_{stage.replace(' ', '')}"


def in_metrics(title: str) -> str:
    """A set's title as names of metrics have it: ``ni_adi`` of NI+ADI."""
    return re.sub("[^a-z0-9]+", "_", title.lower())


def check(label: str, recipe: Recipe) -> None:
    """Raises `UsageError` before anything is loaded, where scikit-learn would after minutes."""
    if not recipe.sets or REAL in recipe.sets:
        raise UsageError(f"{label}: one synthetic set or more is needed, none named '{REAL}'")
    if len({metric_of(name, "") for name in recipe.sets}) < len(recipe.sets):
        raise UsageError(f"{label}: sets with too similar names: {', '.join(recipe.sets)}")
    sets, protocol = 1 + len(recipe.sets), recipe.tsne
    least = max(
        -(-protocol.components // 2),  # two sets alone are projected for the mixing
        protocol.neighbours // 2 + 1,
        int(3 * protocol.perplexity / sets) + 1,
    )
    if protocol.images < least:
        raise UsageError(
            f"{label}: {protocol.images} images of each of {sets} sets are too few for "
            f"{protocol.components} components, perplexity {protocol.perplexity:g} and "
            f"{protocol.neighbours} neighbours: {least} or more"
        )


def _sources(
    context: CellContext, recipe: Recipe, teacher: Teacher, dataset: Dataset
) -> dict[str, DeviceDataset]:
    """The real images, then the synthetic sets by name: t-SNE depends on the order of points."""
    return {REAL: _real(context, recipe, teacher, dataset.train)} | {
        name: DeviceDataset(*recipe.sets[name].load(context, name)) for name in sorted(recipe.sets)
    }


def _real(context: CellContext, recipe: Recipe, teacher: Teacher, split: Split) -> DeviceDataset:
    """So many images of the training split, drawn at random without repeats."""
    if recipe.tsne.images > len(split):
        raise BenchmarkError(
            f"{context.label}: {recipe.tsne.images} images are asked for, "
            f"{recipe.dataset} has {len(split)}"
        )
    draws = generator(derive(recipe.seed, "embedding", REAL))
    chosen = torch.randperm(len(split), generator=draws)[: recipe.tsne.images].sort().values
    mean, std = torch.tensor(teacher.mean), torch.tensor(teacher.std)
    return DeviceDataset(split.images[chosen], split.labels[chosen], mean, std)


@dataclass(frozen=True)
class TsneStep:
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


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """A pass over every set, and one t-SNE of all points for every stage."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    network = classifier_of(cell.inputs["teacher"], classes)
    stages = stage_names(network.teacher(torch.device("cpu")))
    protocol = recipe.tsne
    points = protocol.images * (1 + len(recipe.sets))
    layout = TsneStep(points, protocol.components, protocol.perplexity, protocol.iterations)
    return {ForwardStep(network): points, layout: len(stages)}
