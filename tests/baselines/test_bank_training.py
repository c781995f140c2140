"""What CMI and Fast-DFKD share: the bank, the kept iterate, the student's training."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.bank_losses import LowestLoss, check_finite
from baselines.bank_student import BankStudent
from baselines.image_bank import ImageBank
from baselines.named_tensors import load_tensors, tensors_of
from naturalinversion import Training, synthesize
from naturalinversion.errors import DivergedError
from naturalinversion.image_store.shards import read_shard, write_shard
from naturalinversion.inversion.optimizers import state_of
from naturalinversion.progress import silent
from naturalinversion.synthesis.sequence import EarlierBatches
from tests.baselines.bank_methods import (
    cmi,
    copied,
    equal,
    fast,
    make,
    small_teacher,
    start,
    student,
)


def test_what_is_read_back_from_shards_is_what_the_student_saw(tmp_path: Path) -> None:
    """All 256 levels of all channels survive float16 in teacher space."""
    teacher = small_teacher()
    levels = torch.arange(256).view(-1, 1, 1, 1).expand(256, 3, 16, 16) / 255
    bank = ImageBank(teacher, 2)
    images = bank.append(levels, truncate=False)
    write_shard(tmp_path, 0, images, torch.zeros(256, dtype=torch.int64))
    again = ImageBank(teacher, 2)
    again.follow(EarlierBatches(tmp_path, 1))
    everything = torch.arange(256)
    assert torch.equal(again.pixels(everything), bank.pixels(everything))
    assert torch.equal(bank.pixels(everything)[:, 0, 0, 0], torch.arange(256).to(torch.uint8))
    cut = ImageBank(teacher, 1)
    cut.append(torch.full((2, 3, 16, 16), 0.999), truncate=True)
    assert int(cut.pixels(torch.tensor([0])).max()) == 254


def test_a_bank_forgets_what_is_not_stored(tmp_path: Path) -> None:
    bank = ImageBank(small_teacher(), 3)
    for _ in range(2):
        bank.append(torch.rand(4, 3, 16, 16), truncate=True)
    bank.follow(EarlierBatches(tmp_path, 1))
    assert (bank.batches, len(bank)) == (1, 4)


def test_passes_over_the_bank_are_shuffled_and_whole() -> None:
    bank = ImageBank(small_teacher(), 3)
    for _ in range(3):
        bank.append(torch.rand(3, 3, 16, 16), truncate=True)
    draws = torch.Generator().manual_seed(0)
    order = list(bank.order(5, 4, draws))
    assert [len(picked) for picked in order] == [4, 4, 4, 4, 4], "one image is left out of a pass"
    assert len(set(torch.cat(order[:2]).tolist())) == 8
    assert order[0].tolist() != order[2].tolist()


def test_the_lowest_loss_is_kept_and_is_no_alias() -> None:
    lowest, image = LowestLoss(), torch.zeros(1)
    for step, loss in enumerate((3.0, 1.0, float("nan"), 2.0)):
        image.fill_(step)
        lowest.offer(torch.tensor(loss), [image])
    image.fill_(9)
    assert lowest.tensors[0].item() == 1


def test_a_term_that_is_not_finite_is_named() -> None:
    with pytest.raises(DivergedError, match=r"^contrast became inf at step 1$"):
        check_finite("contrast", torch.tensor([1.0, math.inf, math.nan]))


@pytest.mark.parametrize("method", [cmi, fast])
def test_images_leave_the_student_alone_and_its_steps_the_teacher(
    method: Callable[..., object],
) -> None:
    teacher = small_teacher()
    fingerprint = teacher.fingerprint
    made = start(method(student_steps=0), teacher)  # type: ignore[arg-type]
    before = copied(made._student.network)
    make(made, 2)
    assert equal(before, made._student.network.state_dict())
    assert all(p.grad is None for p in made._student.network.parameters())
    assert teacher.fingerprint == fingerprint


def test_the_student_trains_on_all_images_so_far() -> None:
    made = start(fast(student_batch=32, student_steps=1), small_teacher())
    seen = []
    made._student.network.register_forward_hook(
        lambda module, inputs, out: seen.append(len(inputs[0])) if module.training else None
    )
    make(made, 3)
    assert seen == [8, 16, 24]


def test_the_rate_falls_in_a_cosine_after_the_warm_up() -> None:
    made = start(fast(epochs=6, warmup=2, rate_student=0.2, rate_student_end=0.02), small_teacher())
    rates = []
    for _ in range(6):
        make(made, 1)
        rates.append(made._student.optimizer.param_groups[0]["lr"])
    falling = [0.02 + 0.18 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert rates == pytest.approx([0.2, 0.2, *falling])


@pytest.mark.parametrize(
    ("momentum", "decay"), [(0.0, 0.0), (0.0, 0.5), (0.9, 0.0)], ids=["plain", "decay", "momentum"]
)
def test_steps_of_the_student_are_those_of_sgd_written_out(momentum: float, decay: float) -> None:
    """Two steps of a linear student on the whole bank, with the factor temperature squared.

    By the logits, T^2 KL has the gradient T (softmax(student / T) - softmax(teacher / T)) / N.
    """
    teacher, temperature, rate, number = small_teacher(), 4.0, 0.05, 8
    bank = ImageBank(teacher, 1)
    draws = torch.Generator().manual_seed(0)
    images = bank.append(torch.rand(number, 3, 16, 16, generator=draws), truncate=True)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4, bias=False))
    with torch.no_grad():
        network[1].weight.normal_(0, 0.05, generator=draws)
    weight = network[1].weight.detach().clone()
    settings = fast(
        **{"student_steps": 2, "student_batch": number, "crop": 0, "flip": False},
        **{"rate_student": rate, "momentum": momentum, "weight_decay": decay},
        temperature=temperature,
    )
    BankStudent(teacher, network, settings).train(bank, 0, 0, silent)
    inputs, velocity = images.flatten(1), torch.zeros_like(weight)
    for _ in range(2):
        wanted = F.softmax(teacher(images) / temperature, dim=1)
        found = F.softmax(inputs @ weight.T / temperature, dim=1)
        gradient = temperature * (found - wanted).T @ inputs / number
        velocity = momentum * velocity + gradient + decay * weight
        weight = weight - rate * velocity
    torch.testing.assert_close(network[1].weight.detach(), weight, rtol=1e-4, atol=1e-5)


def test_labels_are_those_asked_for_or_drawn(tmp_path: Path) -> None:
    counts = []
    for drawn in (False, True):
        folder = tmp_path / str(drawn)
        synthesize(
            *(fast(draw_labels=drawn), small_teacher(), folder),
            batches=2,
            batch_size=8,
            student=student(),
        )
        labels = [read_shard(folder, number)[1] for number in (0, 1)]
        counts.append([torch.bincount(found, minlength=4).tolist() for found in labels])
    assert counts[0] == [[2, 2, 2, 2], [2, 2, 2, 2]]
    assert counts[1] != counts[0]


def test_steps_are_counted_and_shortened_for_an_estimate() -> None:
    made = fast(inner_steps=2, student_steps=8)
    assert made.iterations == 10
    short = made.with_iterations(5, batch_size=8)
    assert (short.inner_steps, short.student_steps, short.epochs) == (2, 3, 1)
    short.prepare(small_teacher(), student(), 0, Training())
    done: list[int] = []
    short.batch(torch.arange(8) % 4, 0, done.append)
    assert sum(done) == 5


@pytest.mark.parametrize(("images", "students"), [(100, 100), (200, 40), (5, 100)])
def test_what_a_few_more_steps_take_is_what_all_take(images: int, students: int) -> None:
    made = cmi(inner_steps=images, student_steps=students)
    one, more = (made.with_iterations(count, batch_size=8) for count in (1, 5))
    inner, steps = more.inner_steps - one.inner_steps, more.student_steps - one.student_steps
    assert inner + steps == 4
    assert inner / 4 == pytest.approx(images / (images + students), abs=1 / 8)


@pytest.mark.parametrize("make_method", [cmi, fast])
def test_what_is_minimised_is_the_weighted_sum_of_the_terms(
    make_method: Callable[..., Any],
) -> None:
    """The adversarial one is below zero: images are sought that the student answers otherwise."""
    weights = {"cross_entropy": 2.0, "bn_statistics": 3.0, "adversarial": 5.0}
    method = start(make_method(inner_steps=1, **weights), small_teacher())
    (batch,) = make(method, 1)
    terms = {name: term for name, term in batch.losses.items() if name != "total"}
    expected = sum(getattr(method, name) * term for name, term in terms.items())
    torch.testing.assert_close(batch.losses["total"], expected)
    assert set(weights) <= set(terms)
    assert (terms["cross_entropy"] > 0).all()
    assert (terms["bn_statistics"] > 0).all()
    assert (terms["adversarial"] <= 0).all()


def test_moments_read_back_lie_in_memory_as_their_weights_do() -> None:
    """As they do in a run that was not interrupted: multi-tensor kernels take no others."""
    weight = nn.Parameter(torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    saved = {name: t.contiguous() for name, t in tensors_of(optimizer, "optimizer").items()}
    load_tensors(optimizer, saved, "optimizer")
    (moments,) = state_of(optimizer)
    assert moments.stride() == weight.stride()
    assert torch.equal(moments, saved["optimizer.0.momentum_buffer"])
