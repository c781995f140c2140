"""A distillation cell: a random teacher, images of noise, updates that change next to nothing."""

import logging
from pathlib import Path

import torch
from torch import nn

from benchmarks.datasets.load import load
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.shards import write_shard

MEAN, STD = (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)
NETWORK = Classifier("resnet18", 10, 0.0625, 8, MEAN, STD)
BATCHES, SIZE = 2, 32
STILL = TrainingRecipe(  # so slow that the loss is that of the network as it starts
    epochs=1, batch_size=32, lr=1e-12, weight_decay=0.0, schedule="constant", crop=0, flip=False
)
IMAGES_OF = ImageSelection([BATCHES], BATCHES * SIZE)


def undecided(seed: int) -> nn.Module:
    """A random network that does not give all digits one class: their mean logits are zero."""
    model = NETWORK.build(seed).eval()
    images = (load("digits", root=Path("nowhere"), image_size=8).train.images / 255 - 0.3) / 0.3
    last = list(model.modules())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias -= model(images).mean(dim=0)
    return model


def work_in(folder: Path) -> CellContext:
    """A cell's folder with a random teacher and images of noise."""
    inputs = {role: folder / role for role in ("teacher", "images0")}
    for path in (folder / "cell", inputs["teacher"], inputs["images0"] / IMAGES):
        path.mkdir(parents=True)
    save_classifier(inputs["teacher"] / WEIGHTS, undecided(1), NETWORK)
    write_meta(
        inputs["images0"] / IMAGES, Meta("noise", "", 10, (3, 8, 8), MEAN, STD, 0, SIZE, BATCHES)
    )
    draws = torch.Generator().manual_seed(0)
    for batch in range(BATCHES):
        noise = torch.randn(SIZE, 3, 8, 8, generator=draws)
        labels = torch.arange(SIZE) % 10
        write_shard(inputs["images0"] / IMAGES, batch, noise, labels)
    log = logging.getLogger("test")
    return CellContext(folder / "cell", inputs, Machine(), DataOptions(folder), "noise", log)
