"""The settings that the paper's text names, as this suite's recipes have them."""

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError
from reports.published import claim_id


def paper_settings() -> dict[str, float]:
    """Their values at scale paper, by the claim's id."""
    recipes = Recipes("paper", "cifar10").resolve("resnet34")
    protocol, ni = recipes.protocol, recipes.method("ni")
    specs = {name: read_table(name) for name in ("table1", "table3", "table4", "figure6")}
    images = {name: float(spec.defaults.images) for name, spec in specs.items()}
    ratios = [row.ratio for row in specs["figure6"].rows]
    values = {
        "images_KD_and_scratch": ni.images,
        "images_table1_and_table3": _one("tables 1 and 3", images["table1"], images["table3"]),
        "images_table4_and_tsne": _one(
            "table 4 and the embedding", images["table4"], protocol.embedding.images
        ),
        "scratch_batch": protocol.scratch.batch_size,
        "scratch_epochs": protocol.scratch.epochs,
        "scratch_sgd_lr": protocol.scratch.lr,
        "pruning_finetune_epochs": protocol.pruning.training.epochs,
        "pruning_finetune_sgd_lr": protocol.pruning.training.lr,
        "pruning_ratio_min": min(ratios),
        "pruning_ratio_max": max(ratios),
        "inversion_iters_cifar10_fig5": ni.settings["iterations"],
    }
    return {
        claim_id("text", "", "", "", "protocol", name): float(value)
        for name, value in values.items()
    }


def _one(what: str, *values: float) -> float:
    """The number that the paper gives once for both."""
    if len(set(values)) > 1:
        raise UsageError(f"{what} share a number of images in the paper, not here: {values}")
    return values[0]
