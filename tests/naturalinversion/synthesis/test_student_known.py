"""A joint method whose student the caller has already."""

from pathlib import Path
from typing import Any

import pytest
import torch
from contract_methods import small
from laws import student
from laws import teacher as small_teacher

from naturalinversion import SyntheticDataset, Teacher, synthesize
from naturalinversion.errors import StoreError
from naturalinversion.synthesis import sequence


def fill(name: str, teacher: Teacher, folder: Path, batches: int, **more: Any) -> SyntheticDataset:
    return synthesize(small(name), teacher, folder, batches=batches, batch_size=8, **more)


@pytest.mark.parametrize("name", ["dfad", "fast"])
def test_more_images_are_those_of_the_same_generator_or_are_refused(
    name: str, tmp_path: Path
) -> None:
    """A trained student would be trained again, with another generator."""
    teacher, known = small_teacher(), student()
    whole = fill(name, teacher, tmp_path / "whole", 3, student=student()).tensors()[0]
    cut = tmp_path / "cut"
    fill(name, teacher, cut, 1, student=known)
    assert len(fill(name, teacher, cut, 1, student=known, student_known=True)) == 8
    if name == "fast":  # whose state beside the images has the student
        found = fill(name, teacher, cut, 2, student=known, student_known=True).tensors()[0]
        assert torch.equal(found, whole[:16])
        sequence.forget_state(cut)
    with pytest.raises(StoreError, match="batches are to be made, and the student is trained"):
        fill(name, teacher, cut, 3, student=known, student_known=True)
    found = fill(name, teacher, cut, 3, student=student(), student_known=True).tensors()[0]
    assert torch.equal(found, whole)
