"""Networks as somebody else would write them, in a module that lies in a folder of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

MODULE = "somebodys_networks"
SOURCE = '''
import random
from pathlib import Path

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, width=8, norm=nn.BatchNorm2d):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), norm(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2)
        )
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, images):
        return self.fc(self.body(images).flatten(1))


class Viewing(Net):
    """As many are: fails where maps are in channels_last."""

    def forward(self, images):
        return self.fc(self.body(images).view(len(images), -1))


class TwoHeads(Net):
    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


class ExtraState(Net):
    def get_extra_state(self):
        return {"version": 1}


class Factory:
    def __call__(self):
        return Net(10)


def build(num_classes):
    return Net(num_classes)


def viewing(num_classes):
    return Viewing(num_classes)


def loaded():
    model = Net(10)
    path = Path(__file__).with_name("mine.pt")
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def new_head():
    model = loaded()
    model.fc = nn.Linear(32, 10)
    return model


def seeds_itself():
    torch.manual_seed(3)
    return Net(10)


def draws_elsewhere():
    model = Net(10)
    nn.init.constant_(model.fc.bias, random.SystemRandom().random())
    return model


def without_norm():
    return Net(10, norm=lambda width: nn.Identity())


def two_heads():
    return TwoHeads(10)


def extra_state():
    return ExtraState(10)


class Probable(Net):
    def forward(self, images):
        return super().forward(images).softmax(dim=1)


class Detached(Net):
    def forward(self, images):
        return super().forward(images).detach()


def probable():
    return Probable(10)


def detached():
    return Detached(10)


def seven_classes():
    return Net(7)


def text():
    return "no network"


def broken():
    raise KeyError("conv1")


instance = Factory()
number = 3
made = nn.Linear(1, 1)
'''


@contextmanager
def somebodys_folder(folder: Path) -> Iterator[Path]:
    """The module and weights for it, ``mine.pt``, in ``folder``; nothing stays imported."""
    (folder / f"{MODULE}.py").write_text(SOURCE)
    path, modules = [*sys.path], {*sys.modules}
    sys.path.append(str(folder))
    try:
        from importlib import import_module

        with torch.random.fork_rng():
            torch.manual_seed(0)
            state = import_module(MODULE).build(10).state_dict()
        state["body.1.running_mean"] += 0.1  # as if it had seen images
        torch.save(state, folder / "mine.pt")
        yield folder
    finally:
        sys.path[:] = path
        for name in {*sys.modules} - modules:
            if name == MODULE:
                del sys.modules[name]
