"""A folder of images knows its teacher: by weights and buffers, and by what its code does."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.deep_inversion import DeepInversion
from naturalinversion import SyntheticDataset, Teacher, synthesize
from naturalinversion.errors import StoreError, TeacherWarning
from naturalinversion.image_store.meta import read_meta, write_meta
from tests.naturalinversion.teacher.zoo import CLASSES, ZOO, Small, ZooModel, trained

pytestmark = pytest.mark.filterwarnings("ignore:images can hardly")


class Described(Small):
    """Its state dict says neither the factor, nor the activation, nor epsilon."""

    def __init__(
        self,
        factor: float = 1.0,
        activation: Callable[[Tensor], Tensor] = F.relu,
        eps: float = 1e-5,
        outputs: int = CLASSES,
    ) -> None:
        super().__init__(outputs=outputs)
        self.activation = activation
        self.norm1.eps = eps
        self.register_buffer("factor", torch.tensor(factor), persistent=False)

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(self.activation(self.norm1(self.conv1(images * self.factor))))
        return self.pool(self.activation(self.norm2(self.conv2(x))))  # type: ignore[no-any-return]


def teach(model: nn.Module) -> Teacher:
    model.load_state_dict(trained(Described).state_dict(), strict=False)
    return Teacher(model, **ZooModel(Small).arguments())


def fill(teacher: Teacher, folder: Path, batches: int = 1) -> SyntheticDataset:
    method = DeepInversion(iterations=2)
    return synthesize(method, teacher, folder, batches=batches, batch_size=4)


@pytest.mark.parametrize(
    "other",
    [Described(factor=3.0), Described(activation=F.silu), Described(eps=0.1)],
    ids=["buffer outside the state dict", "activation", "epsilon"],
)
def test_another_network_with_the_same_weights_is_another_run(
    other: nn.Module, tmp_path: Path
) -> None:
    teacher = teach(Described())
    fill(teacher, tmp_path)
    assert teach(other).fingerprint == teacher.fingerprint
    with pytest.raises(StoreError, match=r"run: what the teacher answers to noise was \(.*\), is"):
        fill(teach(other), tmp_path)
    assert len(fill(teach(Described()), tmp_path, 2)) == 8


def test_the_same_network_elsewhere_and_stores_of_before_go_on(tmp_path: Path) -> None:
    """Other machines round otherwise, and earlier versions recorded no logits."""
    fill(teach(Described()), tmp_path)
    meta = read_meta(tmp_path)
    assert meta.logits
    assert len(meta.logits) == CLASSES
    rounded = tuple(value + 0.002 * max(map(abs, meta.logits)) for value in meta.logits)
    for logits in (rounded, None):
        write_meta(tmp_path, msgspec.structs.replace(meta, logits=logits))
        assert len(fill(teach(Described()), tmp_path)) == 4


def test_no_logits_are_recorded_of_a_network_that_rounds_to_16_bits() -> None:
    for name, recorded in (("converts to half", False), ("half", True), ("double", True)):
        teacher = Teacher(ZOO[name].make(), **ZOO[name].arguments())
        assert (teacher.noise_logits is not None) == recorded


class Counts(Small):
    """Counts its passes, in place or by a new buffer."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        if self.in_place:
            self.passes += 1
        else:
            self.passes = self.passes + 1
        return super().forward(images)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_network_that_counts_its_passes_fills_a_folder_in_two_calls(
    in_place: bool, tmp_path: Path
) -> None:
    def make() -> Teacher:
        with pytest.warns(TeacherWarning, match="writes its buffer 'passes' in eval mode"):
            return Teacher(trained(lambda: Counts(in_place)), **ZooModel(Small).arguments())

    teacher = make()
    fill(teacher, tmp_path)
    for again in (teacher, make()):
        assert len(fill(again, tmp_path, 2)) == 8
    with torch.no_grad():
        next(teacher.model.parameters()).add_(1)
    with pytest.raises(StoreError, match="the teacher was"):
        fill(teacher, tmp_path, 2)
