"""``pictures``: a ready classifier inverted by DeepInversion and by NaturalInversion."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.cli.console import log, print_result
from benchmarks.cli.contact_sheet import save_contact_sheet
from benchmarks.cli.execution_options import ComputeOptions, TimeLimit
from benchmarks.engine.deadline import stop_after
from benchmarks.engine.machine import set_up_torch
from benchmarks.engine.our_warnings import our_warnings_to
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.resolve import Recipes
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import UsageError
from naturalinversion.image_store.dataset import joined
from naturalinversion.progress import Draw, bar
from naturalinversion.synthesis import synthesize
from naturalinversion.teacher.teacher import Teacher

SCALE = "small"  # the ready classifiers are its teachers
TITLES = {"di": "DeepInversion", "ni": "NaturalInversion"}


@dataclass(frozen=True)
class Pictures:
    """Invert a ready classifier with DeepInversion and NaturalInversion, by the recipes of scale
    small, and show the images.
    """

    out: Path = Path("pictures")
    """folder for the images and for pictures.png"""
    ready: str = "cifar10-vgg11"
    """which classifier: see the command ready"""
    images: int = 100
    """of each method, in one batch"""
    iterations: int = 0
    """of each batch; 0: the recipe's"""
    seed: int = 0
    """of labels and noise: another seed, other images"""
    execution: ComputeOptions = field(default_factory=lambda: ComputeOptions(threads=1))
    limit: TimeLimit = field(default_factory=TimeLimit)

    def run(self) -> int:
        """Write ``OUT/pictures.png``; the same command again reads what is made."""
        if self.images < 2:
            raise UsageError(f"--images {self.images}: 2 or more")
        if self.iterations < 0:
            raise UsageError(f"--iterations {self.iterations}: 0 or more")
        with stop_after(self.limit.hours()):
            return self._run()

    def _run(self) -> int:
        known = describe(self.ready)
        machine = self.execution.machine()
        device = set_up_torch(machine)
        teacher = Teacher.ready(self.ready, device=device, precision=machine.precision)
        recipes = Recipes(SCALE, known.dataset).resolve(known.recipe["arch"])
        sheets = {}
        for name, title in TITLES.items():
            settings = dict(recipes.method(name).settings)
            if self.iterations:
                settings["iterations"] = self.iterations
            made = f"{self.images}x{settings['iterations']}"
            label = f"{name}-{self.ready}-{SCALE}-{made}-seed{self.seed}"
            draw: Draw = partial(bar, description=title)
            with our_warnings_to(partial(_warn_of, title)):
                dataset = synthesize(
                    build_method(name, settings),
                    teacher,
                    self.out / label,
                    batches=1,
                    batch_size=self.images,
                    seed=self.seed,
                    method=name,
                    settings=settings,
                    progress=draw,
                )
            sheets[title] = joined([dataset], "denormalize")
        path = self.out / "pictures.png"
        save_contact_sheet(path, sheets, known.classes)
        print_result(f"{self.images} images by each of {', '.join(sheets)}: {path}")
        return 0


def _warn_of(title: str, said: str) -> None:
    """The two methods' warnings have the same words."""
    log(f"warning: {title}: {said}")
