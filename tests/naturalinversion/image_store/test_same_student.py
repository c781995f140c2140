"""A folder of images knows the student that took part: by its weights, and by what it computes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch.nn.functional as F
from contract_methods import small
from torch import Tensor, nn

from naturalinversion import SyntheticDataset, Teacher, synthesize
from naturalinversion.errors import StoreError
from naturalinversion.image_store.meta import read_meta, write_meta
from tests.naturalinversion.teacher.zoo import CLASSES, ZOO, Small, ZooModel, trained

pytestmark = pytest.mark.filterwarnings("ignore:images can hardly")
WAYS = ["adi", "dafl"]  # to compete with it, and to train it


class Activated(Small):
    """Its state dict does not say the activation."""

    def __init__(self, activation: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.activation = activation

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(self.activation(self.norm1(self.conv1(images))))
        return self.pool(self.activation(self.norm2(self.conv2(x))))  # type: ignore[no-any-return]


def student(activation: Callable[[Tensor], Tensor] = F.relu) -> nn.Module:
    made = Activated(activation)
    made.load_state_dict(trained(Activated).state_dict())
    return made


def teacher() -> Teacher:
    return Teacher(trained(Small), **ZooModel(Small).arguments())


def fill(name: str, folder: Path, of: nn.Module, batches: int = 1) -> SyntheticDataset:
    return synthesize(small(name), teacher(), folder, batches=batches, batch_size=8, student=of)


@pytest.mark.parametrize("name", WAYS)
def test_another_student_with_the_same_weights_is_another_run(name: str, tmp_path: Path) -> None:
    fill(name, tmp_path, student())
    with pytest.raises(StoreError, match=r"run: what the student answers to noise was \(.*\), is"):
        fill(name, tmp_path, student(F.silu), 2)
    assert len(fill(name, tmp_path, student(), 2)) == 16


@pytest.mark.parametrize("name", WAYS)
def test_the_same_student_elsewhere_goes_on(name: str, tmp_path: Path) -> None:
    """Other machines round otherwise."""
    fill(name, tmp_path, student())
    meta = read_meta(tmp_path)
    assert meta.student_logits
    assert len(meta.student_logits) == CLASSES
    rounded = tuple(x + 0.002 * max(map(abs, meta.student_logits)) for x in meta.student_logits)
    write_meta(tmp_path, msgspec.structs.replace(meta, student_logits=rounded))
    assert len(fill(name, tmp_path, student())) == 8


def test_no_logits_are_recorded_of_a_student_that_rounds_to_16_bits() -> None:
    for name, recorded in (("converts to half", False), ("plain", True)):
        found = Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments()).check_student(
            ZOO[name].make(), trained=False
        )
        assert (found is not None) == recorded
