"""The examples of docs/adding-a-method.md keep the contract."""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laws
import pytest
import torch

from naturalinversion import Teacher, synthesize

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-method.md"
EXAMPLES = ["MyMethod", "CoarseInversion", "Drift"]


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the page's classes."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.S)
    classes = [block for block in blocks if "@dataclass(kw_only=True)\nclass " in block]
    assert [re.findall(r"class (\w+)", block)[-1] for block in classes] == EXAMPLES
    (tmp_path / "documented_methods.py").write_text("\n\n".join(classes))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "documented_methods", raising=False)
    return importlib.import_module("documented_methods")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    "law",
    [laws.seeds_decide, laws.batches_stand_alone, laws.interruptions_leave_no_trace],
    ids=lambda law: law.__name__,
)
def test_an_example_keeps_the_law(
    name: str,
    law: Callable[[laws.Method, Path], None],
    documented: Any,
    tmp_path: Path,
) -> None:
    example = getattr(documented, name)
    law(laws.Method(lambda: example(iterations=3), laws.teacher()), tmp_path / "images")


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")
def test_an_example_is_computed_in_the_precision_that_its_folder_remembers(
    documented: Any, tmp_path: Path
) -> None:
    """Also one with a product of its own: in `prepare` and in `batch`."""

    class Weighted(documented.MyMethod):  # type: ignore[misc, name-defined]
        def prepare(self, *rest: Any) -> None:
            super().prepare(*rest)
            self.types = [_product()]

        def batch(self, *rest: Any) -> Any:
            self.types.append(_product())
            return super().batch(*rest)

    model, losses = laws.teacher().model, {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        method = Weighted(iterations=3)
        teacher = Teacher(model, num_classes=4, image_shape=(3, 16, 16), precision=precision)
        seen: list[Any] = []
        images = synthesize(
            method,
            teacher,
            tmp_path / precision,
            batches=1,
            batch_size=8,
            on_batch=lambda number, batch, seen=seen: seen.append(batch.losses),  # type: ignore[misc]
        )
        assert images.meta.precision == precision
        assert method.types == [dtype] * 2
        losses[precision] = seen[0]["bn_statistics"].float()
        assert _product() == torch.float32, "outside nothing changes"
    assert not torch.equal(losses["fp32"], losses["bf16"])
    torch.testing.assert_close(losses["fp32"], losses["bf16"], rtol=0.05, atol=0.0)


def _product() -> torch.dtype:
    return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
