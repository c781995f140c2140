"""What the tests of data sets share beside their fixtures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.datasets.load import load
from naturalinversion.errors import NaturalInversionError

MakeTree = Callable[..., Path]


def error_line(name: str, root: Path, error: type[NaturalInversionError]) -> str:
    """The one line in which loading ``name`` fails."""
    with pytest.raises(error) as caught:
        load(name, root=root)
    message = str(caught.value)
    assert "\n" not in message
    return message
