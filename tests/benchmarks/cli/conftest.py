"""What tests of ``accept`` and ``check`` share."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, list[str]]]:
    """Run a command in a place: exit code, stdout, the lines of stderr."""

    def answer(place: Any, command: str, *more: str) -> tuple[int, str, list[str]]:
        capfd.readouterr()
        code = place.run(command, *more)
        captured = capfd.readouterr()
        return code, captured.out, captured.err.splitlines()

    return answer
