"""What recipes hold: trainings, networks, the shared protocol, methods and their budgets."""

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from benchmarks.recipes.methods import method_class
from naturalinversion.image_store.pixels import PixelMapping
from naturalinversion.synthesis import StudentUse

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
BatchSize = Annotated[int, Meta(ge=2)]
StudentPixels = Literal["stored", "denormalize", "minmax"]
TestSplit = Literal["test", "held-out"]
FidelityReference = Literal["train", "test"]
PrunedLayers = Literal["block", "liu", "all"]


class TrainingRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SGD with momentum. ``milestones`` and ``warmup`` are fractions of the whole run.

    ``updates_per_epoch`` 0 is one pass over the images. ``crop`` is the padding in pixels of the
    random crop, 0 for none. ``evaluate_every`` 0 tests after the last epoch only.
    """

    epochs: Positive
    batch_size: BatchSize = 128
    lr: Annotated[float, Meta(gt=0)] = 0.1
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    nesterov: bool = False
    schedule: Literal["step", "cosine", "constant"] = "step"
    milestones: tuple[Fraction, ...] = (0.5, 0.75)
    gamma: Annotated[float, Meta(gt=0, le=1)] = 0.1
    warmup: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    updates_per_epoch: Annotated[int, Meta(ge=0)] = 0
    crop: Annotated[int, Meta(ge=0)] = 4
    padding: Literal["zeros", "reflect"] = "zeros"
    flip: bool = True
    evaluate_every: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and math.isfinite(self.weight_decay)):
            raise ValueError("lr and weight_decay must be finite")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above zero")

    @property
    def evaluations(self) -> int:
        """How often a run is tested: every so many epochs if asked for, and at the end."""
        return -(-self.epochs // self.evaluate_every) if self.evaluate_every else 1


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How wide the classifiers are and how large the images."""

    width: Annotated[float, Meta(gt=0, le=4)] = 1.0
    image_size: Annotated[int, Meta(ge=8)] = 32


class FidelityMetrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics against the real images of split ``reference``, in the features of ``extractor``.

    ``neighbours`` is k of k-NN precision and recall, ``splits`` are the Inception Score's,
    ``clusters`` and ``clustering_runs`` PRD's.
    """

    extractor: str
    reference: FidelityReference
    neighbours: Positive
    splits: Positive
    clusters: Positive
    clustering_runs: Positive


class FidelityProtocol(FidelityMetrics, frozen=True, forbid_unknown_fields=True):
    """The metrics, and how images become the pixels that are judged.

    Tables give every metric a column for each of ``pixels``; the paper's number stands beside the
    first. One mapping may be written without a list.
    """

    pixels: PixelMapping | Annotated[tuple[PixelMapping, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if len(set(self.mappings)) < len(self.mappings):
            raise ValueError("fidelity.pixels names a mapping twice")

    @property
    def mappings(self) -> tuple[PixelMapping, ...]:
        """``pixels`` as a list, also of one."""
        return self.pixels if isinstance(self.pixels, tuple) else (self.pixels,)

    @property
    def metrics(self) -> FidelityMetrics:
        """What each of the columns is measured by."""
        return msgspec.convert(self, FidelityMetrics, from_attributes=True)


class PruningProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which layers lose filters, and how the rest is fine-tuned."""

    layers: PrunedLayers
    loss: Literal["cross_entropy", "distillation"]
    training: TrainingRecipe


class TsneProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """t-SNE of ``images`` of each set: maps averaged to ``pool`` pixels a side, PCA first.

    ``neighbours`` is for the share of real images among a synthetic image's nearest ones.
    """

    images: Positive
    pool: Positive
    components: Positive
    perplexity: Annotated[float, Meta(gt=0, le=1e4)]
    iterations: Annotated[int, Meta(ge=250)]
    neighbours: Positive


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all methods share, and the budget of methods without a recipe.

    ``temperature`` softens predictions in distillation, whose loss is multiplied by its square with
    ``temperature_squared``. ``student_pixels`` is what students see of images, and networks that
    are trained from scratch, pruned ones, and t-SNE: what is stored, or pixels made of it.
    ``students_tested_on`` "held-out" tests distilled students on a tenth of the training images,
    for choosing recipes. ``ready`` names, by architecture, teachers that come with the library in
    place of trained ones (`naturalinversion.classifiers.ready`); an empty name is none. A method's
    images are made ``chunk`` batches to a cell, so that what needs few waits for few.
    """

    network: Network
    classifier: TrainingRecipe
    student: TrainingRecipe
    scratch: TrainingRecipe
    fidelity: FidelityProtocol
    pruning: PruningProtocol
    embedding: TsneProtocol
    temperature: Annotated[float, Meta(gt=0, le=1e4)]
    temperature_squared: bool
    classifier_floor: Fraction
    batches: Positive
    batch_size: BatchSize
    chunk: Positive
    student_pixels: StudentPixels = "stored"
    students_tested_on: TestSplit = "test"
    ready: dict[str, str] = {}
    assumed: dict[str, str] = {}

    @property
    def images(self) -> int:
        """How many images a method without a budget of its own makes."""
        return self.batches * self.batch_size


class Rounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How images and student alternate for a method that competes with the student.

    The first ``start_batches`` of the images of method ``start`` train a first student; then
    ``rounds`` times new images are made against the student and the student goes on on all of them.
    Its learning rate is multiplied by ``gamma`` at each of ``milestones``, fractions of all rounds.
    """

    start: str
    start_batches: Positive
    rounds: Positive
    student: TrainingRecipe
    milestones: tuple[Fraction, ...] = ()
    gamma: Annotated[float, Meta(gt=0, le=1)] = 0.1

    def training(self, number: int) -> TrainingRecipe:
        """The student's in round ``number``, counted from 1: a drop comes with the round that has
        more than half of its epochs behind it.
        """
        drops = sum((number - 0.5) / self.rounds >= milestone for milestone in self.milestones)
        return msgspec.structs.replace(self.student, lr=self.student.lr * self.gamma**drops)


class MethodRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method and its budget of images; ``settings`` are its constructor's arguments.

    ``name`` is what the recipe is asked for by: the method, or a variant such as ``di-paper``.
    ``assumed`` maps a key that nobody published to why it has its value.
    """

    name: str
    method: str
    title: str
    batches: Positive
    batch_size: BatchSize
    settings: dict[str, Any] = {}
    rounds: Rounds | None = None
    assumed: dict[str, str] = {}

    @property
    def images(self) -> int:
        """How many images the method makes."""
        return self.batches * self.batch_size

    @property
    def student_use(self) -> StudentUse:
        """What the method does with a student. Raises `UsageError` for a reference."""
        use: StudentUse = method_class(self.method).student_use
        return use
