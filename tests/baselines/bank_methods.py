"""CMI and Fast-DFKD at a size that a test can follow step by step."""

from typing import Any

import torch
from torch import Tensor, nn

from baselines.bank_training import BankSynthesizer
from baselines.cmi import CMI
from baselines.fast_dfkd import FastDFKD
from naturalinversion import Batch, Teacher, Training
from naturalinversion.progress import silent
from naturalinversion.seeds import derive, seeded
from tests.naturalinversion.teacher.zoo import CLASSES, Small, trained

SIZE, LABELS = 8, torch.arange(8) % 4
BANK: dict[str, Any] = {
    **{"epochs": 4, "inner_steps": 3, "student_steps": 2, "student_batch": 8},
    **{"latent": 8, "generator_width": 0.1, "warmup": 0, "draw_labels": False},
}


def cmi(**settings: Any) -> CMI:
    return CMI(**{**BANK, "projection": 8, "negatives": 4, "memory": 20, **settings})


def fast(**settings: Any) -> FastDFKD:
    return FastDFKD(**{**BANK, **settings})


def small_teacher() -> Teacher:
    return Teacher(trained(Small), num_classes=CLASSES, image_shape=(3, 16, 16))


def student() -> nn.Module:
    with seeded(3):
        return Small()


def start(method: BankSynthesizer, teacher: Teacher) -> BankSynthesizer:
    """The method, prepared with a fresh student."""
    method.prepare(teacher, student(), 0, Training())
    return method


def make(method: BankSynthesizer, count: int) -> list[Batch]:
    """Its next batches."""
    first = method._bank.batches
    return [method.batch(LABELS, derive(0, "batch", first + k), silent) for k in range(count)]


def copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())
