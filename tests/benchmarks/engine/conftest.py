"""The kind ``toy`` for tests of cells."""

import sys
from types import ModuleType

import pytest
import torch

from tests.benchmarks.engine.toy_cells import HeldMemory, Recipe, Toys


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """The module of kind ``toy``, which `KINDS` names."""
    found, module = Toys(), ModuleType("toy_kind")
    module.Recipe, module.run = Recipe, found.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_kind", module)
    return found


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldMemory:
    """Asked whenever a GPU's memory is given back."""
    found = HeldMemory()
    monkeypatch.setattr(torch.cuda, "empty_cache", found.give_back)
    return found
