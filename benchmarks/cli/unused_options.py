"""Options about tables that no cell depends on: they were meant for something else."""

from collections.abc import Sequence

from benchmarks.cli.options import DataPaths, PlanPaths, RecipeOptions
from benchmarks.evaluation.fidelity.extractors import reads_inception
from benchmarks.recipes.overrides import parse_override
from benchmarks.recipes.recipe_file import read_recipes
from benchmarks.tables.expand import PlannedTable, cells_of
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import UsageError


def reject_unused(planned: Sequence[PlannedTable], recipe: RecipeOptions, paths: PlanPaths) -> None:
    """A file or a value that no cell depends on was meant for something else. Raises `UsageError`.

    Values of the protocol are not judged.
    """
    cells = cells_of(planned)
    archs = {cell.recipe["arch"] for cell in cells if cell.kind == "pretrained"}
    for arch in paths.given_weights():
        if arch not in archs:
            raise UsageError(f"--weights {arch}=…: nothing here is a {arch} that would read it")
    if recipe.ready and recipe.ready not in {cell.recipe.get("ready") for cell in cells}:
        arch = describe(recipe.ready).recipe["arch"]
        raise UsageError(f"--ready {recipe.ready}: nothing here inverts it: --teacher {arch} would")
    methods = {cell.recipe.get("method") for cell in cells}
    for method in read_recipes(recipe.recipe_files):
        if method not in methods:
            raise UsageError(f"--recipe: {method}, whose recipe it is, is no method of this run")
    known = {"protocol"}.union(*(one.methods for one in planned))
    for text in recipe.set:
        if (name := parse_override(text)[0]) not in known:
            raise UsageError(f"--set {text}: no cell of this run reads the recipe of {name}")


def reject_unused_inception(planned: Sequence[PlannedTable], paths: DataPaths) -> None:
    """Raises `UsageError` for weights of Inception that no cell reads."""
    if paths.inception_weights is None:
        return
    measured = [cell.recipe["fidelity"] for cell in cells_of(planned) if cell.kind == "fidelity"]
    if not any(reads_inception(protocol["extractor"]) for protocol in measured):
        raise UsageError("--inception-weights: nothing here is measured with Inception")


def reject_overrides(recipe: RecipeOptions, paths: PlanPaths) -> None:
    """Accepted numbers are of the recipes as they are. Raises `UsageError`."""
    if recipe.set or recipe.ready or recipe.recipe_files or paths.weights:
        raise UsageError(
            "accepted numbers are of the recipes: not with --set, --recipe, --ready or --weights"
        )
