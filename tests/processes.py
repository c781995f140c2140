"""Processes that tests begin."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """That of this process, for another: it finds this repository first, then what this one finds.

    Without the latter it would use other packages where some lie on ``PYTHONPATH``, and its bytes
    would be compared with those of another PyTorch.
    """
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(ROOT), before]))
    return os.environ | {"PYTHONPATH": path} | more
