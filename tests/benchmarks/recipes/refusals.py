"""Requests for recipes that can't be met."""

import pytest

from benchmarks.recipes.resolve import Recipes
from naturalinversion.errors import UsageError


def refused(*overrides: str, method: str = "di", scale: str = "demo") -> str:
    """The one line that says so."""
    with pytest.raises(UsageError) as caught:
        Recipes(scale, "digits", overrides).resolve().method(method)
    message = str(caught.value)
    assert "\n" not in message
    return message
