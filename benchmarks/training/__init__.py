"""The one training loop: teachers, baselines, distilled students, and what later tables train."""

from benchmarks.training.accuracy import accuracy
from benchmarks.training.history import History
from benchmarks.training.loop import train
from benchmarks.training.losses import Loss, cross_entropy_loss, distillation_loss
from benchmarks.training.recipe import TrainingRecipe, learning_rate
from benchmarks.training.source import ImageSource

__all__ = [
    "History",
    "ImageSource",
    "Loss",
    "TrainingRecipe",
    "accuracy",
    "cross_entropy_loss",
    "distillation_loss",
    "learning_rate",
    "train",
]
