"""The control: noise of the teacher's mean and deviation, whose labels say nothing."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from baselines.noise import Noise
from naturalinversion import Teacher, synthesize


def test_it_has_the_teachers_mean_and_deviation_and_balanced_labels(
    make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    teacher = make_teacher()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no setting of it would make the teacher agree
        dataset = synthesize(Noise(), teacher, tmp_path, batches=2, batch_size=40)
    images, labels = (torch.cat(parts) for parts in zip(*dataset.shards(), strict=True))
    assert labels.bincount().tolist() == [20] * 4
    by_channel = images.float().transpose(0, 1).flatten(1)
    assert by_channel.mean(1).abs().max() < 0.05
    assert (by_channel.std(1) - 1).abs().max() < 0.05
    assert not torch.equal(images[:40], images[40:])
