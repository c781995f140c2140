"""``pictures``: a ready classifier inverted by DeepInversion and by NaturalInversion."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cli.console import print_result
from benchmarks.cli.contact_sheet import save_contact_sheet
from benchmarks.cli.options import ComputeOptions, TimeLimit
from benchmarks.engine.deadline import stop_after
from benchmarks.engine.machine import set_up_torch
from benchmarks.recipes.methods import build_method
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import UsageError
from naturalinversion.progress import bar
from naturalinversion.synthesis import Training, iterations_of, synthesize
from naturalinversion.teacher.teacher import Teacher

# Chosen by eye for classifiers a quarter as wide as the published ones, whose R_BN asks for a
# smaller factor; everything else is the published value, or follows from fewer iterations.
SETTINGS: dict[str, dict[str, Any]] = {
    "di": {"bn_statistics": 0.3, "rate": 0.1, "total_variation": 1e-3},
    "ni": {
        "bn_statistics": 1.0,
        "latent": 256,
        "generator_width": 0.25,
        "rate_generator": 2e-3,
        "rate_pyramid": 1e-3,
        "rate_scaling": 0.1,
    },
}
TITLES = {"di": "DeepInversion", "ni": "NaturalInversion"}


@dataclass(frozen=True)
class Pictures:
    """Invert a ready classifier with DeepInversion and NaturalInversion, and show the images."""

    out: Path = Path("pictures")
    """folder for the images and for pictures.png"""
    ready: str = "cifar10-vgg11"
    """which classifier: see the command ready"""
    images: int = 100
    """of each method, in one batch"""
    iterations: int = 300
    seed: int = 0
    execution: ComputeOptions = field(default_factory=lambda: ComputeOptions(threads=1))
    limit: TimeLimit = field(default_factory=TimeLimit)

    def run(self) -> int:
        """Write ``OUT/pictures.png``; the same command again reads what is made."""
        if self.images < 1 or self.iterations < 1:
            raise UsageError("--images and --iterations are 1 or more")
        with stop_after(self.limit.hours()):
            return self._run()

    def _run(self) -> int:
        known = describe(self.ready)
        machine = self.execution.machine()
        device = set_up_torch(machine)
        teacher = Teacher.ready(self.ready, device=device, precision=machine.precision)
        sheets = {}
        for name, own in SETTINGS.items():
            settings = {**own, "iterations": self.iterations, "reference_batch": 256}
            method = build_method(name, settings)
            label = f"{name}-{self.ready}-{self.images}x{self.iterations}-seed{self.seed}"
            with bar(iterations_of(method, 1), TITLES[name]) as progress:
                dataset = synthesize(
                    method,
                    teacher,
                    self.out / label,
                    batches=1,
                    batch_size=self.images,
                    seed=self.seed,
                    method=name,
                    settings=settings,
                    training=Training(progress),
                )
            sheets[TITLES[name]] = (dataset.pixels("denormalize"), dataset.tensors()[1])
        path = self.out / "pictures.png"
        save_contact_sheet(path, sheets, known.classes)
        print_result(f"{self.images} images by each of {', '.join(sheets)}: {path}")
        return 0
