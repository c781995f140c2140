"""WGAN-GP: penalty, order of steps, networks, convergence, determinism and resuming."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import wgan_gp
from baselines.wgan_gp import WassersteinGAN, gradient_penalty
from baselines.wgan_networks import Critic, Generator
from baselines.wgan_settings import WassersteinSettings
from naturalinversion.errors import DivergedError, SettingError
from naturalinversion.seeds import generator, seeded
from naturalinversion.synthesis import Training

TINY = WassersteinSettings(
    iterations=7,
    critic_steps=2,
    batch_size=4,
    generator_batch_size=6,
    latent=8,
    width=0.01,
    rate=1e-3,
)


def noise(count: int, draws: torch.Generator) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=draws) * 2 - 1


def trained(settings: WassersteinSettings = TINY, seed: int = 0) -> WassersteinGAN:
    gan = WassersteinGAN(settings, 8)
    gan.train(noise, seed=seed)
    return gan


@pytest.fixture(scope="module")
def usual() -> WassersteinGAN:
    """A trained one, to compare with."""
    return trained()


def same(first: WassersteinGAN, second: WassersteinGAN) -> bool:
    pairs = [(first.sample(5, 9), second.sample(5, 9))]
    pairs += [(first.losses[name], second.losses[name]) for name in wgan_gp.TERMS]
    pairs += zip(first.critic.parameters(), second.critic.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_penalty_of_a_linear_critic_is_known() -> None:
    """D(x) = w . x has the gradient w everywhere."""
    draws = generator(1)
    weight = torch.randn(3 * 8 * 8, generator=draws, dtype=torch.float64).requires_grad_(True)
    real, fake = (torch.randn(5, 3, 8, 8, generator=draws, dtype=torch.float64) for _ in "ab")
    mix = torch.rand(5, 1, 1, 1, generator=draws, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, real, fake, mix)
    norm = weight.norm().item()
    assert penalty.item() == pytest.approx((norm - 1) ** 2)
    penalty.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, 2 * (norm - 1) * weight.detach() / norm)


def test_the_penalty_is_taken_between_real_and_fake_image_by_image() -> None:
    """D(x) = |x|^2 / 2 has the gradient x, so the penalty shows where it was taken."""
    draws = generator(2)
    real, fake = (torch.randn(4, 3, 8, 8, generator=draws) for _ in "ab")
    for mix in (torch.zeros(4, 1, 1, 1), torch.ones(4, 1, 1, 1), torch.rand(4, 1, 1, 1)):
        penalty = gradient_penalty(lambda x: x.square().flatten(1).sum(1) / 2, real, fake, mix)
        norms = (mix * real + (1 - mix) * fake).flatten(1).norm(dim=1)
        torch.testing.assert_close(penalty, (norms - 1).square().mean())


def test_a_dead_critic_has_penalty_one_and_a_finite_gradient() -> None:
    critic = Critic(0.01)
    for parameter in critic.parameters():
        torch.nn.init.zeros_(parameter)
    images = noise(4, generator(0))
    penalty = gradient_penalty(critic, images, images, torch.zeros(4, 1, 1, 1))
    penalty.backward()  # type: ignore[no-untyped-call]
    assert penalty.item() == 1
    assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())


@pytest.mark.parametrize("size", [8, 16, 32])
def test_images_have_the_size_asked_for_and_lie_in_range(size: int) -> None:
    with seeded(0), torch.no_grad():
        images = Generator(16, size, 0.05)(torch.randn(3, 16))
        scores = Critic(0.05)(images)
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1
    assert scores.shape == (3,)


def test_the_published_networks_have_the_papers_layers() -> None:
    """Counted from the table of Appendix F: 128 channels, three blocks up, four in the critic."""
    conv = 128 * 128 * 9 + 128
    short = 128 * 128 + 128
    norm = 2 * 128
    up = 2 * conv + short + 2 * norm
    expected = (128 * 2048 + 2048) + 3 * up + norm + (128 * 3 * 9 + 3)
    assert sum(p.numel() for p in Generator(128, 32).parameters()) == expected
    first = (3 * 128 * 9 + 128) + conv + (3 * 128 + 128)
    expected = first + (2 * conv + short) + 2 * 2 * conv + (128 + 1)
    assert sum(p.numel() for p in Critic().parameters()) == expected
    assert not [m for m in Critic().modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_the_defaults_are_the_published_ones() -> None:
    settings = WassersteinSettings()
    assert (settings.iterations, settings.critic_steps, settings.batch_size) == (100_000, 5, 64)
    assert (settings.penalty, settings.rate, settings.betas) == (10, 2e-4, (0, 0.9))
    assert (settings.latent, settings.width) == (128, 1)


def test_the_critic_takes_critic_steps_for_each_of_the_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []
    drawn: list[int] = []
    original = WassersteinGAN._step

    def step(self: WassersteinGAN, name: str, loss: Tensor) -> None:
        before = copy.deepcopy([self.generator.state_dict(), self.critic.state_dict()])
        original(self, name, loss)
        for other, old in zip(("generator", "critic"), before, strict=True):
            new = getattr(self, other).state_dict()
            changed = any(not torch.equal(old[key], new[key]) for key in old)
            assert changed == (other == name), "the other network is not changed"
        steps.append(name)

    def draw(count: int, draws: torch.Generator) -> Tensor:
        drawn.append(count)
        return noise(count, draws)

    monkeypatch.setattr(WassersteinGAN, "_step", step)
    gan = WassersteinGAN(TINY, 8)
    gan.train(draw, seed=0)
    assert steps == ["critic", "critic", "generator"] * TINY.iterations
    assert drawn == [TINY.batch_size] * 2 * TINY.iterations


def test_the_rate_falls_linearly_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = WassersteinGAN._step

    def step(self: WassersteinGAN, name: str, loss: Tensor) -> None:
        rates.append(self._optimizers[name].param_groups[0]["lr"])
        original(self, name, loss)

    monkeypatch.setattr(WassersteinGAN, "_step", step)
    trained()
    whole = [1e-3 * (1 - iteration / 7) for iteration in range(7)]
    assert rates == pytest.approx([rate for rate in whole for _ in range(3)])


def test_the_same_seed_gives_the_same_bytes_and_leaves_the_global_state_alone(
    usual: WassersteinGAN,
) -> None:
    torch.manual_seed(4)
    before = torch.get_rng_state()
    assert same(usual, trained())
    assert torch.equal(torch.get_rng_state(), before)
    assert not same(usual, trained(seed=1))
    assert torch.equal(usual.sample(5, 2), usual.sample(5, 2))
    assert not torch.equal(usual.sample(5, 2), usual.sample(5, 3))


@pytest.mark.parametrize(
    "ambient",
    [
        lambda: torch.autocast("cpu", torch.bfloat16),
        torch.no_grad,
        torch.inference_mode,
    ],
    ids=["autocast", "no_grad", "inference_mode"],
)
def test_what_the_caller_computes_in_changes_nothing(
    ambient: Callable[[], AbstractContextManager[None]], usual: WassersteinGAN
) -> None:
    with ambient():
        found = trained()
        assert torch.equal(found.sample(5, 2), usual.sample(5, 2))
    assert same(found, usual)
    assert found.sample(5, 2).dtype == torch.float32


def test_bfloat16_is_refused() -> None:
    with pytest.raises(SettingError, match=r"^precision is 'bf16': one of fp32, tf32$"):
        WassersteinGAN(TINY, 8, precision="bf16")  # type: ignore[arg-type]


@pytest.mark.parametrize("betas", [(0.5, 0.9), (0.0, 0.5)])
def test_the_moments_decay_with_the_betas_asked_for(
    betas: tuple[float, float], usual: WassersteinGAN
) -> None:
    """Other betas train another generator and another critic."""
    other = trained(replace(TINY, betas=betas))
    for name in ("generator", "critic"):
        pairs = zip(
            getattr(usual, name).parameters(), getattr(other, name).parameters(), strict=True
        )
        assert any(not torch.allclose(a, b, atol=1e-5) for a, b in pairs), name


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_an_interrupted_training_ends_with_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, stop: int, usual: WassersteinGAN
) -> None:
    """However often the losses were checked."""
    monkeypatch.setattr(wgan_gp, "CHECK_EVERY", 2)
    saved: list[dict[str, Any]] = []
    reported: list[int] = []

    def save(state: dict[str, Any]) -> None:
        saved.append(copy.deepcopy(state))
        if len(saved) * 2 == stop:
            raise KeyboardInterrupt

    interrupted = WassersteinGAN(TINY, 8)
    with pytest.raises(KeyboardInterrupt):
        interrupted.train(noise, seed=0, training=Training(save=save))
    resumed = WassersteinGAN(TINY, 8)
    resumed.train(
        noise, seed=0, training=Training(progress=reported.append, restore=lambda: saved[-1])
    )
    assert reported == [stop, *[1] * (TINY.iterations - stop)], "a bar comes to its end"
    assert same(resumed, usual)


def test_it_learns_the_mean_colour_of_the_real_images() -> None:
    colour = torch.tensor([0.7, -0.2, -0.6]).view(1, 3, 1, 1)

    def draw(count: int, draws: torch.Generator) -> Tensor:
        return colour + 0.1 * torch.randn(count, 1, 1, 1, generator=draws).expand(-1, 3, 8, 8)

    def distance(iterations: int) -> float:
        settings = WassersteinSettings(
            iterations=iterations,
            critic_steps=2,
            batch_size=8,
            generator_batch_size=8,
            latent=8,
            width=0.01,
            rate=1e-2,
        )
        gan = WassersteinGAN(settings, 8)
        gan.train(draw, seed=1)
        means = gan.sample(64, 0).mean(dim=(0, 2, 3))
        return float((means - colour.flatten()).abs().max())

    untrained, after = distance(1), distance(20)
    assert untrained > 0.4
    assert after < 0.2


@pytest.mark.parametrize("broken", [0, 3, 6])
def test_a_loss_that_is_not_finite_names_its_iteration(broken: int) -> None:
    calls = 0

    def draw(count: int, draws: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        images = noise(count, draws)
        return images * float("nan") if calls > broken * TINY.critic_steps else images

    with pytest.raises(DivergedError, match=f"critic became nan at iteration {broken}$"):
        WassersteinGAN(TINY, 8).train(draw, seed=0)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"iterations": 0}, "iterations"),
        ({"critic_steps": 0}, "critic_steps"),
        ({"latent": 0}, "latent"),
        ({"batch_size": 1}, "^batch_size is 1: 2 or more$"),
        ({"generator_batch_size": 1}, "^generator_batch_size is 1: 2 or more$"),
        ({"width": 0.0}, "width"),
        ({"width": float("nan")}, "width"),
        ({"rate": -1e-4}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"penalty": -1.0}, "penalty"),
        ({"betas": (0.0, 1.0)}, "betas"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        WassersteinSettings(**wrong)


@pytest.mark.parametrize("size", [0, 4, 12, 28])
def test_sizes_that_are_no_power_of_two_are_refused(size: int) -> None:
    with pytest.raises(SettingError, match=f"not {size}"):
        WassersteinGAN(TINY, size)
