"""Wait for what a page does a moment later."""

import time
from typing import Any

PATIENCE = 60.0  # seconds; a busy machine's browser takes many


def until(page: Any, expression: str) -> None:
    """Ask again and again; the page's policy forbids it to evaluate strings by itself."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(f"() => Boolean({expression})"):
        assert time.monotonic() < end, f"never came true: {expression}"
        page.wait_for_timeout(20)
