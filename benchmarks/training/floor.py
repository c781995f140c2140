"""The test accuracy below which a classifier's cell fails: a bad teacher spoils a table."""

from typing import Any

from msgspec import UNSET, UnsetType

from benchmarks.engine.cell import FLOOR
from benchmarks.training.real_images import ReadsRealImages


class HasFloor(ReadsRealImages, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``floor`` is the recipe's; ``asked_floor`` the command's, in its place.

    Another one changes no weight: it is no part of the cell's key.
    """

    floor: float = 0.0
    asked_floor: float | UnsetType = UNSET

    def least_accuracy(self) -> float:
        """The one that holds."""
        return self.floor if self.asked_floor is UNSET else self.asked_floor


def least_accuracy(recipe: dict[str, Any]) -> float:
    """The same of a cell's recipe as plain data; 0 of what is no classifier."""
    floor: float = recipe.get(FLOOR, recipe.get("floor", 0.0))
    return floor
