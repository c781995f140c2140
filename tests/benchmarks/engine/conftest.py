"""The kind ``toy`` for tests of cells."""

import sys
from types import ModuleType

import pytest

from tests.benchmarks.engine.toy_cells import Recipe, Toys


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """The module of kind ``toy``, which `KINDS` names."""
    found, module = Toys(), ModuleType("toy_kind")
    module.Recipe, module.run = Recipe, found.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_kind", module)
    return found
