"""docs/your-classifier.md: its Python runs in order, and what it says of torchvision's networks."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.models import resnet18

from naturalinversion import Teacher
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from tests.naturalinversion.teacher.zoo import Small, trained

PAGE = Path(__file__).parents[2] / "docs" / "your-classifier.md"
GREY = (1, 28, 28)


class _NamedOutputs(torch.nn.Module):
    """A classifier whose logits are an attribute of what it returns."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.model(images), hidden_states=None)


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")
def test_the_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 9
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {
        "my_model": trained(lambda: Small(1, outputs=10), GREY),
        "my_student": Small(1, outputs=10),
        "new_student": lambda: Small(1, outputs=10),
        "test_pixels": torch.rand(4, *GREY),
        "test_labels": torch.arange(4),
    }
    text = "\n".join(blocks)
    for long, short in (
        ("iterations=300", "iterations=2"),
        ("iterations=100", "iterations=2"),
        ("epochs=20", "epochs=1"),
        ("student_steps=50", "student_steps=1"),
    ):
        assert long in text
        text = text.replace(long, short)
    exec(compile(text, PAGE.name, "exec"), names)
    assert (tmp_path / "images" / "grid.png").is_file()
    teacher, pixels = names["teacher"], names["test_pixels"]
    assert isinstance(teacher, Teacher)
    assert isinstance(pixels, torch.Tensor)
    of_pixels = names["my_model"].eval()(pixels)  # type: ignore[attr-defined]
    assert torch.allclose(teacher(teacher.normalize(pixels)), of_pixels, atol=1e-5)
    wrapped = names["Logits"](_NamedOutputs(names["my_model"]))  # type: ignore[operator]
    unwrapped = Teacher(wrapped, num_classes=10, image_shape=GREY, mean=(0.0,), std=(1.0,))
    assert torch.allclose(unwrapped(pixels), of_pixels, atol=1e-5)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "teacher:",
        "the",
        "student:",
        "Fast-DFKD's",
    ]


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.TeacherWarning")
def test_a_network_of_torchvision_is_a_teacher_of_large_images() -> None:
    shape = (3, 224, 224)
    teacher = Teacher(resnet18(), num_classes=1000, image_shape=shape, smallest_stage=7)
    assert len(teacher.batch_norms) == 20
    assert [stage.size[0] for stage in teacher.stages] == [112, 56, 28, 14, 7]


@pytest.mark.parametrize(("latent", "width", "millions"), [(1024, 1.0, 812), (256, 0.25, 126)])
def test_the_page_says_how_large_the_generator_is(latent: int, width: float, millions: int) -> None:
    with torch.device("meta"):
        made = ConditionalGenerator(1000, latent=latent, image_size=224, width=width)
    assert made.project.weight.numel() // 10**6 == millions
    assert f"{millions} million" in PAGE.read_text("utf-8")
