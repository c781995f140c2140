"""Fast-DFKD: what one batch leaves to the next, and when."""

from typing import Any

import pytest
import torch
from torch import nn

from baselines.named_tensors import part
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import priors
from naturalinversion.errors import SettingError
from tests.baselines.bank_methods import LABELS, copied, equal, fast, make, small_teacher, start


@pytest.mark.parametrize(("size", "count"), [(32, 2_328_899), (16, 749_891)])
def test_the_generator_has_the_published_size_and_gives_pixels(size: int, count: int) -> None:
    network = UnconditionalGenerator(256, image_size=size, pixels=True)
    assert sum(p.numel() for p in network.parameters()) == count
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 3
    images = network(torch.randn(4, 256))
    assert images.shape == (4, 3, size, size)
    assert 0 < images.min() < images.max() < 1


def test_the_first_outer_step_moves_each_weight_by_its_rate() -> None:
    """Adam's first step is the rate, whatever the gradient; its buffers are never run."""
    method = start(fast(inner_steps=3, rate_generator=1e-3), small_teacher())
    before = copied(method._learned)
    make(method, 1)
    after = method._learned.state_dict()
    for name, parameter in method._learned.named_parameters():
        moved = (after[name] - before[name]).abs()
        touched = parameter.grad != 0
        rate = torch.full_like(moved[touched], 3e-3)
        torch.testing.assert_close(moved[touched], rate, rtol=0.01, atol=0)
    for name, buffer in method._learned.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_one_step_keeps_the_learned_generators_own_images() -> None:
    """With one step no update is ever rendered."""
    method = start(fast(inner_steps=1, truncate=False), small_teacher())
    learned = UnconditionalGenerator(8, image_size=16, width=0.1, pixels=True)
    learned.load_state_dict(copied(method._learned))
    seen = []
    original = method.images

    def images(number: int, latents: torch.Tensor, seed: int) -> Any:
        seen.append(latents.clone())
        return original(number, latents, seed)

    method.images = images  # type: ignore[method-assign]
    (batch,) = make(method, 1)
    expected = learned(seen[0])
    pixels = method._teacher.denormalize(batch.images)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=0.5 / 255 + 1e-5)


def test_readings_of_meta_learning_differ_where_there_are_two_steps() -> None:
    teacher = small_teacher()
    learned = []
    for meta in ("maml", "reptile", "none"):
        method = start(fast(meta=meta, inner_steps=2), teacher)
        make(method, 1)
        learned.append(copied(method._learned))
    assert not equal(learned[0], learned[1])
    assert not equal(learned[1], learned[2])


def test_mixed_statistics_are_plain_at_first_and_weigh_less_later() -> None:
    teacher = small_teacher()
    plain, mixed = (start(fast(statistics_momentum=m), teacher) for m in (0.0, 0.9))
    first = [make(method, 1)[0].losses["bn_statistics"] for method in (plain, mixed)]
    assert torch.equal(*first)
    assert len(mixed._moments) == len(teacher.batch_norms)
    means = [mean.clone() for mean, _ in mixed._moments]
    latents = torch.randn(8, 8)
    made = mixed.images(1, latents, 0)
    images = torch.randn(8, 3, 16, 16, requires_grad=True)
    seen = teacher.observe(images, statistics=True)
    (shared,) = torch.autograd.grad(made.bn_statistics(seen), images)
    mixture = [
        (0.1 * layer.mean + 0.9 * mean - layer.running_mean).norm()
        + (0.1 * layer.variance + 0.9 * variance - layer.running_variance).norm()
        for layer, (mean, variance) in zip(seen.statistics, mixed._moments, strict=True)
    ]
    torch.testing.assert_close(made.bn_statistics(seen), torch.stack(mixture).sum())
    seen = teacher.observe(images, statistics=True)
    (full,) = torch.autograd.grad(priors.bn_statistics(seen.statistics), images)
    assert 0.02 < shared.norm() / full.norm() < 0.5
    make(mixed, 1)
    for old, new, (mean, _) in zip(means, made.moments, mixed._moments, strict=True):
        assert not torch.equal(mean, old)
        assert not torch.equal(mean, new[0])


def test_the_first_layers_start_anew_once() -> None:
    """At epoch warm-up + 0.6 of the rest, as the official 140 of 220, counted from one."""
    method = start(fast(epochs=7, warmup=2, reset=0.6), small_teacher())
    anew = []
    for number in range(7):
        before = copied(method._learned)
        method.images(number, torch.randn(8, 8), seed=number)
        after = method._learned.state_dict()
        if changed := {name for name in after if not torch.equal(after[name], before[name])}:
            anew.append(number)
            assert changed == {"project.weight", "project.bias", "body.0.weight"}
    assert anew == [2 + 3 - 1]
    assert method._learned.body[0].weight.abs().max() < 0.2


def test_without_meta_learning_nothing_starts_anew() -> None:
    method = start(fast(epochs=7, warmup=2, reset=0.6, meta="none"), small_teacher())
    before = copied(method._learned)
    for number in range(7):
        method.images(number, torch.randn(8, 8), seed=number)
    assert equal(before, method._learned.state_dict())


def test_the_student_waits_for_the_warm_up_and_the_adversarial_term_starts_one_before() -> None:
    method = start(fast(epochs=4, warmup=2), small_teacher())
    untrained = copied(method._student.network)
    made = make(method, 2)
    assert equal(untrained, method._student.network.state_dict())
    assert ["adversarial" in batch.losses for batch in made] == [False, True]
    make(method, 1)
    assert not equal(untrained, method._student.network.state_dict())


def test_state_holds_all_but_the_bank() -> None:
    method = start(fast(), small_teacher())
    make(method, 2)
    state = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    assert {name.partition(".")[0] for name in state} == {
        *("student", "student_optimizer", "generator", "generator_optimizer", "moments"),
    }
    assert part(state, "moments").keys() == {
        f"{k}.{what}" for k in range(2) for what in ("mean", "variance")
    }
    again = start(fast(), small_teacher())
    again.load_state_dict(state)
    assert equal(state, again.state_dict())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="warmup is 4: fewer than the 4 epochs"):
        fast(warmup=4)
    assert len(LABELS) == 8


def test_reptile_moves_the_learned_generator_towards_the_batchs_copy() -> None:
    method = start(fast(meta="reptile", inner_steps=2), small_teacher())
    before = {name: p.detach().clone() for name, p in method._learned.named_parameters()}
    copies = _watch_images(method)
    make(method, 1)
    there = dict(copies[0].network.named_parameters())
    for name, parameter in method._learned.named_parameters():
        way, wanted = parameter.detach() - before[name], there[name].detach() - before[name]
        assert (way * wanted).sum() > 0, name


def test_a_batch_changes_the_statistics_that_are_kept_by_the_share_that_is_its_own() -> None:
    method = start(fast(statistics_momentum=0.9, inner_steps=1), small_teacher())
    made = _watch_images(method)
    make(method, 1)
    before = list(method._moments)
    make(method, 1)
    for old, new, kept in zip(before, made[-1].moments, method._moments, strict=True):
        for k in (0, 1):
            torch.testing.assert_close(kept[k], 0.9 * old[k] + 0.1 * new[k])


def test_the_first_norm_starts_anew_with_gains_around_the_mean_asked_for() -> None:
    method = start(fast(epochs=7, warmup=2, reset=0.6, reset_gain=0.5), small_teacher())
    method.images(4, torch.randn(8, 8), seed=4)
    assert (method._learned.body[0].weight - 0.5).abs().max() < 0.2


def _watch_images(method: Any) -> list[Any]:
    """What ``method.images`` will have made, batch by batch."""
    original, made = method.images, []

    def images(number: int, latents: torch.Tensor, seed: int) -> Any:
        made.append(original(number, latents, seed))
        return made[-1]

    method.images = images
    return made
