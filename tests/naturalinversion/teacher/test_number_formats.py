"""Networks with weights or outputs of 16 bits: what is computed in float32, and what is said."""

from pathlib import Path

import pytest
import torch
from contract_methods import small
from torch import Tensor

from baselines.deep_inversion import DeepInversion
from naturalinversion import Teacher, synthesize
from naturalinversion.errors import SettingError
from naturalinversion.inversion.objective import Objective, Weights
from tests.naturalinversion.teacher.zoo import ZOO, Small, ZooModel, trained

PLAIN = ZooModel(Small).arguments()
LABELS = torch.tensor([0, 1, 2, 3])


class Mixed(Small):
    """Its first weights are float32, some of those behind are not."""

    def __init__(self, converts: bool) -> None:
        super().__init__()
        self.converts = converts

    def maps(self, images: Tensor) -> Tensor:
        kind = torch.float16 if self.converts else self.conv2.weight.dtype
        x = self.pool(self.norm1(self.conv1(images)).relu())
        x = self.norm2(self.conv2(x.to(kind)).float())
        return self.pool(x.relu())  # type: ignore[no-any-return]


@pytest.mark.parametrize("converts", [False, True])
def test_16_bit_weights_behind_float32_ones_are_widened_where_the_code_allows(
    converts: bool, tmp_path: Path
) -> None:
    model = Mixed(converts)
    model.load_state_dict(trained(Small).state_dict())
    model.conv2.half()
    teacher = Teacher(model, **PLAIN)
    kinds = {parameter.dtype for parameter in teacher.model.parameters()}
    assert kinds == ({torch.float32, torch.float16} if converts else {torch.float32})
    assert teacher.dtype == torch.float32
    method = DeepInversion(iterations=2)
    assert len(synthesize(method, teacher, tmp_path, batches=1, batch_size=4)) == 4


class HalfLogits(Small):
    """Computes in 16 bits itself, and returns such logits."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.bfloat16())


def test_the_cross_entropy_of_16_bit_logits_is_not_rounded_to_them() -> None:
    model = HalfLogits()
    model.load_state_dict(trained(Small).state_dict())
    teacher = Teacher(model.bfloat16(), **PLAIN)
    images = torch.randn(4, 3, 16, 16)
    logits = teacher(images)
    assert logits.dtype == torch.bfloat16
    found = Objective(teacher, LABELS, Weights(bn_statistics=0)).terms(images)["cross_entropy"]
    assert found.dtype == torch.float32
    expected = torch.nn.functional.cross_entropy(logits.double(), LABELS)
    torch.testing.assert_close(found.double(), expected)


def test_a_double_network_has_a_double_loss() -> None:
    teacher = Teacher(ZOO["double"].make(), **PLAIN)
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    found = Objective(teacher, LABELS, Weights(bn_statistics=0)).terms(images)["cross_entropy"]
    assert torch.equal(found, torch.nn.functional.cross_entropy(teacher(images), LABELS))


def test_a_student_of_another_number_format_is_told_so(tmp_path: Path) -> None:
    teacher, student = Teacher(trained(Small), **PLAIN), trained(Small).half()
    says = (
        r"the student's weights are torch.float16, and it does not .*; student.to\(torch.float32\)"
    )
    with pytest.raises(SettingError, match=says):
        synthesize(small("adi"), teacher, tmp_path, batches=1, batch_size=8, student=student)
