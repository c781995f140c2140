"""The examples of docs/adding-a-method.md keep the contract."""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import laws
import pytest

from naturalinversion import Teacher

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-method.md"


@pytest.mark.parametrize("name", ["MyMethod", "Drift"])
@pytest.mark.parametrize(
    "law",
    [laws.seeds_decide, laws.batches_stand_alone, laws.interruptions_leave_no_trace],
    ids=lambda law: law.__name__,
)
def test_an_example_keeps_the_law(
    name: str,
    law: Callable[[laws.Method, Path], None],
    make_teacher: Callable[..., Teacher],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.S)
    classes = [block for block in blocks if "@dataclass(kw_only=True)\nclass " in block]
    assert [re.findall(r"class (\w+)", block)[0] for block in classes] == ["MyMethod", "Drift"]
    (tmp_path / "documented_methods.py").write_text("\n\n".join(classes))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "documented_methods", raising=False)
    example = getattr(importlib.import_module("documented_methods"), name)
    law(laws.Method(lambda: example(iterations=3), make_teacher()), tmp_path / "images")
