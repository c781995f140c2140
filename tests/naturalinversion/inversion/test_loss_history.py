"""The history of a batch's losses as a file, and what it ends with."""

from pathlib import Path

import pytest
import torch

from naturalinversion.inversion.loss_history import final_losses, save_losses


def test_a_final_loss_is_the_mean_of_the_last_twenty_iterations(tmp_path: Path) -> None:
    total = torch.arange(25.0) ** 2
    save_losses(tmp_path / "losses.csv", {"total": total, "l2": -total})
    found = final_losses(tmp_path / "losses.csv")
    mean = sum(iteration**2 for iteration in range(5, 25)) / 20
    assert found == pytest.approx({"iterations": 25, "final_total": mean, "final_l2": -mean})


def test_of_fewer_iterations_it_is_the_mean_of_all_and_of_none_there_is_none(
    tmp_path: Path,
) -> None:
    save_losses(tmp_path / "losses.csv", {"total": torch.tensor([3.0, 1.0, 2.0])})
    assert final_losses(tmp_path / "losses.csv") == {"iterations": 3, "final_total": 2.0}
    assert final_losses(tmp_path / "missing.csv") == {}
