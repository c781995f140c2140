"""What a recipe's file holds: a list of overrides, and variants of the recipe.

Each override says for which scale, data set, teacher or variant it holds and what it sets; later
ones win. A variant is another preset of the same method: ``di-paper`` is ``di`` with the overrides
for its variant ``paper`` as well.
"""

from typing import Any

import msgspec


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set`` holds where every selector given agrees; ``teacher`` may name several.

    It is the architecture of the teacher, and where a classifier is trained (a teacher or a
    student's baseline) that of the classifier.
    """

    set: dict[str, Any]
    scale: str = ""
    dataset: str = ""
    teacher: str | list[str] = ""
    variant: str = ""

    def holds(self, scale: str, dataset: str, teacher: str, variant: str) -> bool:
        """Whether it is one for this scale, data set, teacher and variant of the recipe."""
        teachers = [self.teacher] if isinstance(self.teacher, str) else self.teacher
        return (
            self.scale in ("", scale)
            and self.dataset in ("", dataset)
            and self.variant in ("", variant)
            and (not self.teacher or teacher in teachers)
        )


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another preset of a recipe: what it is called in print, and where its values are from."""

    title: str
    source: str


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``assumed`` maps a key that nobody published to why it has its value."""

    layer: list[Override]
    title: str = ""
    source: str = ""
    assumed: dict[str, str] = {}
    variants: dict[str, Variant] = {}

    def __post_init__(self) -> None:
        for override in self.layer:
            if override.variant and override.variant not in self.variants:
                raise ValueError(
                    f"a layer is for the variant '{override.variant}': not in [variants]"
                )
