"""Seeding a block: what it draws, and whose random states it leaves alone."""

from typing import Any

import pytest
import torch

from naturalinversion.seeds import seeded


def seeded_devices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Whatever is seeded beside the CPU."""
    found: list[tuple[str, int]] = []
    devices: dict[str, tuple[Any, str]] = {
        "cuda": (torch.cuda, "manual_seed_all"),
        "mps": (torch.mps, "manual_seed"),
        "xpu": (torch.xpu, "manual_seed_all"),
    }
    for device, (module, name) in devices.items():
        monkeypatch.setattr(module, name, lambda seed, of=device: found.append((of, seed)))
    return found


def test_draws_are_those_of_the_seed_and_the_state_is_as_before() -> None:
    before = torch.get_rng_state()
    with seeded(5):
        drawn = torch.randn(3)
    assert torch.equal(torch.get_rng_state(), before)
    expected = torch.randn(3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn, expected)


def test_a_gpu_that_is_not_in_use_keeps_the_seed_it_will_start_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyTorch notes a seed for later; nothing could restore the caller's."""
    found = seeded_devices(monkeypatch)
    with seeded(5):
        pass
    assert found == []


def test_a_gpu_in_use_is_seeded_and_no_other_device(monkeypatch: pytest.MonkeyPatch) -> None:
    found = seeded_devices(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with seeded(5):
        pass
    assert found == [("cuda", 5)]
