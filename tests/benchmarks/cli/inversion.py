"""The command that inverts a small classifier, as its tests give it."""

from pathlib import Path

import torch
from torch import nn

from naturalinversion.seeds import generator


def seen(model: nn.Module) -> nn.Module:
    """``model``, after its batch norms have seen a few images."""
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 16, 16, generator=generator(0)))
    return model


def invert(path: Path, out: Path, **changes: str) -> list[str]:
    options = {
        "out": str(out),
        "method": "di",
        "arch": "resnet18",
        "weights": str(path),
        "num-classes": "4",
        "width": "0.125",
        "image-size": "16",
        "images": "6",
        "batch-size": "4",
        "set": "di.settings.iterations=2",
        "device": "cpu",
        "threads": "1",
    }
    merged = options | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["synthesize", *(p for n, v in merged.items() if v for p in (f"--{n}", v))]
