"""Plant one fault at a time in a copy of the packages, and see whether ``check`` finds it.

    python tests/faults/plant.py                         the unharmed copy, then every fault
    python tests/faults/plant.py --seeds 6 bn-prior-off  one of them
    python tests/faults/plant.py --scale small --options '--dataset cifar10'   the subtle ones
    python tests/faults/plant.py --seeds 1 --options='--exact' unharmed jitter-off
                                                         on the machine of the accepted numbers

Prints for each what caught it. Exit code 0 if the unharmed copy passes and every fault is found, 1
if not, 2 if a fault can't be planted or the check can't run. Without --first-seed the seeds are the
check's own: accepted ones with --exact and where these have a second value, else none of them.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("naturalinversion", "baselines", "benchmarks", "reports")
UNHARMED = "unharmed"


class PlantError(Exception):
    """A fault's text is not in its file exactly once, or the check didn't come to an answer."""


@dataclass(frozen=True)
class Fault:
    """``old`` in ``file`` becomes ``new``."""

    name: str
    file: str
    old: str
    new: str

    def planted(self, root: Path) -> str:
        """The source with the fault in it. Raises `PlantError`."""
        source = (root / self.file).read_text("utf-8")
        if (count := source.count(self.old)) != 1:
            raise PlantError(f"{self.name}: its text is {count} times in {self.file}, not once")
        return source.replace(self.old, self.new)


COARSE = (
    Fault(  # the weight of R_BN is zero, whatever the recipe says
        "bn-prior-off",
        "naturalinversion/inversion/objective.py",
        "return weighted_sum(self.weights, terms)",
        "return weighted_sum(replace(self.weights, bn_statistics=0.0), terms)",
    ),
    Fault(  # R_BN compares variances only
        "bn-means-ignored",
        "naturalinversion/priors.py",
        "batch = [layer.mean for layer in layers]",
        "batch = [layer.running_mean for layer in layers]",
    ),
    Fault(  # the teacher is trained on plain pixels, the images are made for normalised ones
        "no-normalisation",
        "naturalinversion/augmentation.py",
        "return images.float().sub_((mean * 255).view(shape)).div_((std * 255).view(shape))",
        "return images.float().div_(255)",
    ),
    Fault(  # networks are trained on normalised images and tested on plain pixels
        "test-images-plain",
        "benchmarks/training/device_dataset.py",
        "        return normalise(self.images[index], self.mean, self.std)\n",
        "        images = self.images[index]\n"
        "        return images.float() / (255 if images.dtype == torch.uint8 else 1)\n",
    ),
    Fault(  # the labels in the store are not the ones the images were made for
        "labels-shifted",
        "naturalinversion/synthesis/run.py",
        "order.write(index, batch.images, batch.labels, attempt)",
        "order.write(index, batch.images, (batch.labels + 1) % teacher.num_classes, attempt)",
    ),
    Fault(  # batch norms use and overwrite the statistics that are to be matched
        "teacher-in-train-mode",
        "naturalinversion/teacher/own_copy.py",
        "    copied.eval()  # whose own train() may return nothing\n",
        "    copied.train()\n",
    ),
    Fault(  # predictions are sharpened where they should be softened
        "temperature-inverted",
        "benchmarks/training/losses.py",
        "    factor = temperature**2 if temperature_squared else 1.0\n",
        "    temperature = 1 / temperature\n    factor = 1.0\n",
    ),
    Fault(  # what is darker than black comes out bright
        "pixels-not-clamped",
        "naturalinversion/image_store/pixels.py",
        "return (images.clamp(0, 1) * 255).round().to(torch.uint8)",
        "return (images * 255).round().to(torch.int64).remainder(256).to(torch.uint8)",
    ),
    Fault(  # NaturalInversion without Adaptive Channel Scaling, in every row
        "channel-scaling-off",
        "naturalinversion/generator/generated_images.py",
        "return images * self.scale",
        "return images * (self.scale * 0 + 1)",
    ),
)

# Small enough to pass for a setting: for scale small, whose spread is a tenth of demo's.
SUBTLE = (
    Fault(  # the images are not shifted before the pyramid and the loss
        "jitter-off",
        "naturalinversion/inversion/jitter.py",
        "torch.randint(-pixels, pixels + 1, (iterations, 2, 2), generator=generator)",
        "torch.randint(0, 1, (iterations, 2, 2), generator=generator)",
    ),
    Fault(  # nor mirrored
        "inversion-flip-off",
        "naturalinversion/inversion/jitter.py",
        "generator=generator) < 0.5)",
        "generator=generator) < 0)",
    ),
    Fault(  # the deviations of all of CIFAR-10's pixels, not those the teacher was trained with
        "other-deviations",
        "naturalinversion/teacher/teacher.py",
        "            std=classifier.std,\n",
        "            std=(0.2470, 0.2435, 0.2616),\n",
    ),
    Fault(  # the gradient of the loss goes through the features that the pyramid reads
        "features-not-detached",
        "naturalinversion/generator/generated_images.py",
        "        if self.feature_gradient:\n",
        "        if True:\n",
    ),
    Fault(  # alpha starts near 1
        "scale-from-one",
        "naturalinversion/natural_inversion.py",
        "scale = torch.randn(len(labels), teacher.image_shape[0], 1, 1) + 5.0",
        "scale = torch.randn(len(labels), teacher.image_shape[0], 1, 1) + 1.0",
    ),
    Fault(  # the image that is kept is shifted and mirrored between generator and pyramid
        "best-image-jittered",
        "naturalinversion/inversion/invert.py",
        "images = source.render(None).detach()",
        "images = source.render(lambda x: torch.roll(x, (2, 2), (2, 3)).flip(3)).detach()",
    ),
    Fault(  # R_BN leaves out the batch norms of the shortcuts, which a VGG does not have
        "no-shortcuts",
        "naturalinversion/teacher/teacher.py",
        "            norms = called_norms(self.model, calls)\n",
        "            apart = {m for n, m in self.model.named_modules() if 'downsample' in n}\n"
        "            norms = called_norms(self.model, calls)\n"
        "            norms = {norm: count for norm, count in norms.items() if norm not in apart}\n",
    ),
    Fault(  # every label by chance: some classes twice as often as others
        "labels-by-chance",
        "naturalinversion/synthesis/labels.py",
        "    equally = torch.arange(num_classes).repeat(size // num_classes)\n",
        "    return torch.randint(0, num_classes, (size,), generator=generator(seed))\n"
        "    equally = torch.arange(num_classes).repeat(size // num_classes)\n",
    ),
    Fault(  # students, and classifiers that are trained here, never see a mirrored image
        "students-flip-off",
        "benchmarks/training/epoch.py",
        "len(order), padding=recipe.crop, flip=recipe.flip, generator=rng",
        "len(order), padding=recipe.crop, flip=False, generator=rng",
    ),
)
FAULTS = {"demo": COARSE, "small": SUBTLE}  # by the scale whose check is to find them
CHECKS = {"demo": ["--seeds", "4"], "small": ["--seeds", "2", "--precision", "bf16"]}  # as make's


def copy_packages(to: Path) -> None:
    """The packages of the working tree with the accepted numbers, without what they made."""
    leave = shutil.ignore_patterns("__pycache__", "out", "results")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package, ignore=leave)


def plant(fault: Fault, root: Path) -> None:
    """Change the copy in ``root``. Raises `PlantError`."""
    (root / fault.file).write_text(fault.planted(root), "utf-8")


def check(root: Path, runs: Path, options: Sequence[str]) -> list[str]:
    """Run ``check`` of the copy; what failed in it, nothing if it passed. Raises `PlantError`."""
    command = [sys.executable, "-m", "benchmarks", "check", "--runs-dir", str(runs), "--json"]
    data = Path(os.environ.get("NATURALINVERSION_DATA", "data")).absolute()
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "NATURALINVERSION_DATA": str(data)}
    done = subprocess.run(
        [*command, *options], cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise PlantError(f"check ended with exit code {done.returncode}")
    found = json.loads(done.stdout)
    caught = [f"cell failed: {error}" for error in found["failed"].values()]
    caught += [
        f"{one['row']} {one['column']} {one['verdict']}"
        for one in found["differences"]
        if one["fails"]
    ]
    if bool(caught) != bool(done.returncode):
        raise PlantError(f"exit code {done.returncode}, yet {len(caught)} numbers failed")
    return caught


def examine(fault: Fault | None, options: Sequence[str]) -> list[str]:
    """Copy, plant, check with a fresh runs folder; None plants nothing."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        root = Path(folder) / "copy"
        copy_packages(root)
        if fault is not None:
            plant(fault, root)
        return check(root, Path(folder) / "runs", options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Every fault asked for, one line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(fault.name for faults in FAULTS.values() for fault in faults)
    parser.add_argument("faults", nargs="*", help=f"{UNHARMED}, {names}; default: the scale's")
    parser.add_argument("--scale", default="demo", choices=FAULTS)
    parser.add_argument("--seeds", type=int, help="of each check; default: make check-accuracy's")
    parser.add_argument("--first-seed", type=int, help="of each check; default: the check's own")
    parser.add_argument("--options", default="", help="more for check, e.g. '--device cpu'")
    given = parser.parse_args(arguments)
    known = {fault.name: fault for faults in FAULTS.values() for fault in faults}
    asked = given.faults or [UNHARMED, *(fault.name for fault in FAULTS[given.scale])]
    if unknown := [name for name in asked if name != UNHARMED and name not in known]:
        parser.error(f"unknown fault '{unknown[0]}': {UNHARMED}, {', '.join(known)}")
    options = ["--scale", given.scale, *CHECKS[given.scale]]
    for name, value in (("--seeds", given.seeds), ("--first-seed", given.first_seed)):
        options += [] if value is None else [name, str(value)]
    options += shlex.split(given.options)
    missed = 0
    for name in asked:
        print(f"{name} …", file=sys.stderr)
        try:
            caught = examine(known.get(name), options)
        except PlantError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        right = bool(caught) != (name == UNHARMED)
        missed += not right
        answer = "; ".join(caught) if caught else "passed"
        print(f"{name:22} {'ok' if right else 'WRONG':6} {answer}", flush=True)
    print(f"{len(asked) - missed} of {len(asked)} as they should be")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
