"""What CMI and Fast-DFKD share: the bank, the kept iterate, the student's training."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from baselines.bank_losses import LowestLoss, check_finite
from baselines.image_bank import ImageBank
from naturalinversion import Teacher, Training, priors, synthesize
from naturalinversion.errors import DivergedError
from naturalinversion.image_store.shards import read_shard, write_shard
from naturalinversion.synthesis.sequence import EarlierBatches
from tests.baselines.bank_methods import cmi, copied, equal, fast, make, start, student

MakeTeacher = Callable[..., Teacher]


def test_what_is_read_back_from_shards_is_what_the_student_saw(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """All 256 levels of all channels survive float16 in teacher space."""
    teacher = make_teacher()
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


def test_a_bank_forgets_what_is_not_stored(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    bank = ImageBank(make_teacher(), 3)
    for _ in range(2):
        bank.append(torch.rand(4, 3, 16, 16), truncate=True)
    bank.follow(EarlierBatches(tmp_path, 1))
    assert (bank.batches, len(bank)) == (1, 4)


def test_passes_over_the_bank_are_shuffled_and_whole(make_teacher: MakeTeacher) -> None:
    bank = ImageBank(make_teacher(), 3)
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
    method: Callable[..., object], make_teacher: MakeTeacher
) -> None:
    teacher = make_teacher()
    fingerprint = teacher.fingerprint
    made = start(method(student_steps=0), teacher)  # type: ignore[arg-type]
    before = copied(made._student.network)
    make(made, 2)
    assert equal(before, made._student.network.state_dict())
    assert all(p.grad is None for p in made._student.network.parameters())
    assert teacher.fingerprint == fingerprint


def test_the_student_trains_on_all_images_so_far(make_teacher: MakeTeacher) -> None:
    made = start(fast(student_batch=32, student_steps=1), make_teacher())
    seen = []
    made._student.network.register_forward_hook(
        lambda module, inputs, out: seen.append(len(inputs[0])) if module.training else None
    )
    make(made, 3)
    assert seen == [8, 16, 24]


def test_the_rate_falls_in_a_cosine_after_the_warm_up(make_teacher: MakeTeacher) -> None:
    made = start(fast(epochs=6, warmup=2, rate_student=0.2, rate_student_end=0.02), make_teacher())
    rates = []
    for _ in range(6):
        make(made, 1)
        rates.append(made._student.optimizer.param_groups[0]["lr"])
    falling = [0.02 + 0.18 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert rates == pytest.approx([0.2, 0.2, *falling])


def test_distillation_with_its_factor_hardly_depends_on_a_high_temperature() -> None:
    torch.manual_seed(0)
    teacher, rival = torch.randn(8, 10), torch.randn(8, 10, requires_grad=True)
    norms = []
    for temperature in (20.0, 40.0):
        loss = temperature**2 * priors.distillation(rival, teacher, temperature)
        norms.append(torch.autograd.grad(loss, rival)[0].norm())
    assert norms[0] / norms[1] == pytest.approx(1, abs=0.05)


def test_labels_are_those_asked_for_or_drawn(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    counts = []
    for drawn in (False, True):
        folder = tmp_path / str(drawn)
        synthesize(
            *(fast(draw_labels=drawn), make_teacher(), folder),
            batches=2,
            batch_size=8,
            student=student(),
        )
        labels = [read_shard(folder, number)[1] for number in (0, 1)]
        counts.append([torch.bincount(found, minlength=4).tolist() for found in labels])
    assert counts[0] == [[2, 2, 2, 2], [2, 2, 2, 2]]
    assert counts[1] != counts[0]


def test_steps_are_counted_and_shortened_for_an_estimate(make_teacher: MakeTeacher) -> None:
    made = fast(inner_steps=2, student_steps=8)
    assert made.iterations == 10
    short = made.with_iterations(5, batch_size=8)
    assert (short.inner_steps, short.student_steps, short.epochs) == (1, 4, 1)
    short.prepare(make_teacher(), student(), 0, Training())
    done: list[int] = []
    short.batch(torch.arange(8) % 4, 0, done.append)
    assert sum(done) == 5
