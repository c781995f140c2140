"""How often the teacher agrees with an image's label."""

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.synthesis.image_quality import teacher_agreement
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.meta import Meta, write_meta
from naturalinversion.image_store.shards import write_shard
from naturalinversion.teacher.teacher import Teacher


class _Bright(nn.Module):
    """Class 1 for images whose mean is above 0.4."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, eps=1e-12)  # PyTorch 2.11 refuses 0

    def forward(self, images: Tensor) -> Tensor:
        mean = self.norm(images).mean((1, 2, 3))
        return torch.stack([0.4 - mean, mean - 0.4], dim=1)


def test_agreement_says_what_pixels_cost(tmp_path: Path) -> None:
    """A dark image that stretching makes bright, and a bright one that clamping makes dark."""
    zeros, ones = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    teacher = Teacher(_Bright(), num_classes=2, image_shape=(3, 8, 8), mean=zeros, std=ones)
    images = torch.zeros(4, 3, 8, 8)
    images[:2] = 0.1
    images[:2, :, :4] = 0.2
    images[2:, :, :2] = 3.0
    write_meta(tmp_path, Meta("made", "up", 2, (3, 8, 8), zeros, ones, 0, 4, 1))
    write_shard(tmp_path, 0, images, torch.tensor([0, 0, 1, 1]))
    assert teacher_agreement(teacher, SyntheticDataset(tmp_path)) == {
        "teacher_agreement": 1.0,
        "teacher_agreement_pixels": 0.5,
        "teacher_agreement_minmax": 0.0,
    }
