"""What all methods share: networks, trainings, and how images are evaluated."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from benchmarks.training.recipe import TrainingRecipe
from naturalinversion.images import PixelMapping

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
BatchSize = Annotated[int, Meta(ge=2)]
StudentPixels = Literal["stored", "denormalize", "minmax"]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How wide the classifiers are and how large the images."""

    width: Annotated[float, Meta(gt=0, le=4)] = 1.0
    image_size: Annotated[int, Meta(ge=8)] = 32


class Fidelity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics against the real training images: extractor, pixels, and their own settings."""

    extractor: str
    pixels: PixelMapping
    neighbours: Positive
    splits: Positive
    clusters: Positive
    clustering_runs: Positive


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which layers lose filters, and how the rest is tuned; ``temperature`` is distillation's."""

    layers: Literal["block", "liu", "all"]
    loss: Literal["cross_entropy", "distillation"]
    training: TrainingRecipe


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """t-SNE of ``images`` of each set: maps averaged to ``pool`` pixels a side, PCA first."""

    images: Positive
    pool: Positive
    components: Positive
    perplexity: Annotated[float, Meta(gt=0)]


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shared protocol, and the budget of methods without a recipe.

    ``student_pixels`` is what students see of images: what is stored, or pixels made of it.
    A method's images are made ``chunk`` batches to a cell, so that what needs few waits for few.
    """

    network: Network
    classifier: TrainingRecipe
    student: TrainingRecipe
    scratch: TrainingRecipe
    fidelity: Fidelity
    pruning: Pruning
    embedding: Embedding
    temperature: Annotated[float, Meta(gt=0)]
    classifier_floor: Fraction
    batches: Positive
    batch_size: BatchSize
    chunk: Positive
    student_pixels: StudentPixels = "stored"
    assumed: dict[str, str] = {}
