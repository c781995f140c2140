"""One method on one network: its batches on the device, without capture, and on the CPU.

Several checks compare the same batches: each is computed once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from baselines import METHODS
from benchmarks.perf.gpu_check.cases import CLASSES, CPU, Sizes, network_on, teacher
from naturalinversion import Batch, Training
from naturalinversion.inversion.cuda_graph import eager
from naturalinversion.precision import Precision
from naturalinversion.progress import Progress, silent
from naturalinversion.synthesis import balanced_labels

STUDENT = 1  # seed of the network that ADI competes with
STEPS = 2  # compared with float64: the loss of the second follows from the gradients


@dataclass(frozen=True)
class Case:
    """A method with settings, an architecture to invert, and where."""

    method: str
    settings: Mapping[str, Any]
    arch: str
    sizes: Sizes
    device: torch.device

    def prepared(
        self,
        device: torch.device,
        precision: Precision = "fp32",
        dtype: torch.dtype = torch.float32,
        **more: Any,
    ) -> "Prepared":
        """The method for a teacher on ``device``."""
        sizes = self.sizes
        own = {"iterations": sizes.iterations, **more}
        if self.method.startswith("ni"):
            own |= {"latent": 64, "generator_width": sizes.width, "shared_batch": sizes.batch}
        method: Any = METHODS[self.method](**{**own, **self.settings})
        competes = method.student_use == "compete"
        return Prepared(
            method,
            teacher(self.arch, sizes, device, precision, dtype),
            network_on("resnet18", sizes, device, dtype, STUDENT) if competes else None,
            sizes.batch,
        )


class Prepared:
    """A method and the networks it works with; makes any number of batches."""

    def __init__(self, method: Any, of: Any, student: Any, size: int) -> None:
        self.method, self.of, self.student = method, of, student
        self.labels = balanced_labels(size, CLASSES, 0).to(of.device)
        self.unprepared = True

    def batch(self, seed: int, progress: Progress = silent) -> Batch:
        """The batch of this seed; where one generator is shared, its training is made anew."""
        shared = getattr(self.method, "prepare_steps", 0) > 0
        if self.unprepared or shared:
            self.method.prepare(self.of, self.student, seed, Training(progress=progress))
            self.unprepared = False
        made: Batch = self.method.batch(self.labels, seed, silent if shared else progress)
        return made


@dataclass
class Runs:
    """The batches of a case, each made when first asked for."""

    case: Case
    allocated: list[int] = field(default_factory=list)  # bytes of the device after each `in_bf16`
    reserved: list[int] = field(default_factory=list)

    @cached_property
    def captured(self) -> Batch:
        """In float32, as a run makes it on the device."""
        return self.case.prepared(self.case.device).batch(0)

    @cached_property
    def eager(self) -> Batch:
        """The same without capture."""
        with eager():
            return self.case.prepared(self.case.device).batch(0)

    def in_float64(self) -> Batch:
        """On the CPU; no more than the first iterations, unless the rates depend on how many."""
        made = self.case.prepared(CPU, dtype=torch.float64)
        if made.method.schedule == "constant":
            draws = made.method.draws  # of the whole batch, as those of a shorter one are others
            made.method.draws = lambda seed: draws(seed)[:STEPS]
        return made.batch(0)

    @cached_property
    def in_bf16(self) -> list[Batch]:
        """In bfloat16, one after the other; they are kept on the host, as memory is measured."""
        made = self.prepared_bf16
        found = []
        for seed in self.case.sizes.seeds:
            found.append(_on_host(made.batch(seed)))
            if self.case.device.type == "cuda":
                self.allocated.append(torch.cuda.memory_allocated(self.case.device))
                self.reserved.append(torch.cuda.memory_reserved(self.case.device))
        return found

    @cached_property
    def prepared_bf16(self) -> Prepared:
        return self.case.prepared(self.case.device, "bf16")


def _on_host(batch: Batch) -> Batch:
    return replace(batch, images=batch.images.cpu(), labels=batch.labels.cpu())
