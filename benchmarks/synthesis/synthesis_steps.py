"""The step of a method's synthesis, to be timed for `plan`: the method says how it is shortened."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import (
    RandomClassifier,
    per_step,
    steps_to_time,
    timed_batch,
)
from benchmarks.recipes.methods import build_method
from naturalinversion.precision import compute_in
from naturalinversion.synthesis import Training, balanced_labels
from naturalinversion.synthesis.sequence import EarlierBatches


@dataclass(frozen=True)
class SynthesisStep:
    """One iteration of a method that has ``with_iterations``."""

    shared: ClassVar[bool] = False

    method: str
    settings: bytes  # JSON
    teacher: RandomClassifier
    batch_size: int
    student: RandomClassifier | None

    def seconds(self, machine: Machine) -> float:
        """Time per iteration; of `prepare` if the method's iterations are there."""
        device = machine.torch_device()
        synthesizer = build_method(self.method, msgspec.json.decode(self.settings))
        in_prepare = bool(getattr(synthesizer, "prepare_steps", 0))
        true_size = synthesizer.prepare_batch_size if in_prepare else self.batch_size
        size, factor = timed_batch(true_size, device)
        teacher = self.teacher.teacher(device, machine.precision)
        student = None if self.student is None else self.student.teacher(device).model.train()
        if student is not None:
            student.requires_grad_(True)  # which a teacher's is not
        labels = balanced_labels(size, teacher.num_classes, 0).to(device)

        def run(iterations: int) -> None:
            short = synthesizer.with_iterations(iterations, size)
            with compute_in(device, machine.precision):  # as `synthesize` does
                short.prepare(teacher, student, 0, Training())
                if follow := getattr(short, "follow", None):
                    follow(EarlierBatches(Path(), 0))
                if not in_prepare:
                    short.batch(labels, 0, lambda done: None)

        return factor * per_step(run, device, steps_to_time(device))
