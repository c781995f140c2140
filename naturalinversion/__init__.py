"""Invert any batch-normalised classifier: training images out of a trained network alone.

from naturalinversion import NaturalInversion, Teacher, synthesize

teacher = Teacher(model, num_classes=10, mean=mean, std=std)
dataset = synthesize(NaturalInversion(), teacher, "images", batches=4, batch_size=256)
dataset.export("folder", "denormalize")
"""

from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.natural_inversion import AdaptiveNaturalInversion, NaturalInversion
from naturalinversion.synthesis import Batch, Synthesizer, Training, synthesize
from naturalinversion.teacher.teacher import Teacher

__all__ = [
    "AdaptiveNaturalInversion",
    "Batch",
    "NaturalInversion",
    "Synthesizer",
    "SyntheticDataset",
    "Teacher",
    "Training",
    "synthesize",
]
