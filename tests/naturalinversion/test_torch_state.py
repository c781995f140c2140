"""Whatever PyTorch is set to around a call: the same images, and the setting is as before."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import METHODS
from naturalinversion import Teacher, synthesize
from naturalinversion.errors import SettingError
from naturalinversion.precision import compute_in
from naturalinversion.seeds import seeded
from tests.naturalinversion.teacher.zoo import ZOO, Small

pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")
SMALL: dict[str, dict[str, Any]] = {
    "di": {"iterations": 2},
    "ni": {"iterations": 2, "latent": 4, "generator_width": 0.1},
    "dafl": {"epochs": 1, "steps": 1, "batch_size": 4, "latent": 4, "generator_width": 0.1},
}


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def newer_switches() -> Iterator[None]:
    """Set as PyTorch's documentation of fp32_precision says; the older ones can't be read then."""
    backends: Any = torch.backends
    switches = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul)
    before = [switch.fp32_precision for switch in switches]
    for switch, value in zip(switches, ("tf32", "ieee", "bf16"), strict=True):
        switch.fp32_precision = value
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "another default type": lambda: default_dtype(torch.float64),
    "another default device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "newer switches of precision": newer_switches,
}


def state() -> tuple[object, ...]:
    backends: Any = torch.backends
    switches = (backends, backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_autocast_enabled("cpu"),
        [each.fp32_precision for each in (*switches, backends.mkldnn.matmul)],
        torch.random.get_rng_state().tolist(),
    )


def images_of(name: str, folder: Path, around: Callable[[], AbstractContextManager[Any]]) -> Tensor:
    """Images of a method that is called in ``around``, on networks that are made outside."""
    model = ZOO["plain"].make()
    with seeded(3):
        student = Small()
    with around():
        before = state()
        teacher = Teacher(model, **ZOO["plain"].arguments())
        method = METHODS[name](**SMALL[name])
        dataset = synthesize(method, teacher, folder, batches=1, batch_size=4, student=student)
        assert state() == before
    return dataset.tensors()[0]


@pytest.mark.parametrize("around", STATES)
@pytest.mark.parametrize("name", SMALL)
def test_images_are_the_same_wherever_it_is_called(name: str, around: str, tmp_path: Path) -> None:
    expected = images_of(name, tmp_path / "plain", nullcontext)
    found = images_of(name, tmp_path / "around", STATES[around])
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("name", "settings"), [("dafl", SMALL["dafl"]), ("adi", SMALL["di"])])
def test_a_student_made_in_inference_mode_is_refused_before_any_work(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    with torch.inference_mode():
        made = Small()
    teacher = Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments())
    method = METHODS[name](**settings)
    with pytest.raises(SettingError, match="student's weights were made in inference mode"):
        synthesize(method, teacher, tmp_path / "out", batches=1, batch_size=4, student=made)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("classes", "teacher", "says"),
    [
        (5, "plain", r"the student returns \(5,\) for an image, not 4 logits as the teacher"),
        (4, "grey", r"the student does not take images of shape \(1, 16, 16\): "),
    ],
)
def test_a_student_that_does_not_fit_is_refused_before_any_work(
    classes: int, teacher: str, says: str, tmp_path: Path
) -> None:
    animal = ZOO[teacher]
    method = METHODS["dafl"](**SMALL["dafl"])
    with pytest.raises(SettingError, match=says) as caught:
        synthesize(
            method,
            Teacher(animal.make(), **animal.arguments()),
            tmp_path / "out",
            batches=1,
            batch_size=4,
            student=Small(outputs=classes),
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_student_in_torchscript_is_called_the_student(tmp_path: Path) -> None:
    teacher = Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments())
    traced = torch.jit.trace(Small().eval(), torch.zeros(2, 3, 16, 16))
    method = METHODS["dafl"](**SMALL["dafl"])
    with pytest.raises(SettingError, match=r"^the student is TorchScript"):
        synthesize(method, teacher, tmp_path / "out", batches=1, batch_size=4, student=traced)


@pytest.mark.parametrize("around", [newer_switches, lambda: default_dtype(torch.float32)])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_switches_of_precision_are_as_before(
    device: str, precision: Any, around: Callable[[], AbstractContextManager[None]]
) -> None:
    """They are set without a GPU as well."""
    matmul: Any = torch.backends.cuda.matmul
    with around():
        before = state()
        with compute_in(torch.device(device), precision):
            if device == "cuda":
                assert (matmul.fp32_precision == "tf32") == (precision != "fp32")
            if device == "cpu" and precision != "bf16":
                assert torch.backends.mkldnn.matmul.fp32_precision in ("none", "ieee")  # type: ignore[attr-defined]
        assert state() == before


def test_an_older_choice_of_matrix_products_is_as_before() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        for precision in ("fp32", "tf32", "bf16"):
            with compute_in(torch.device("cuda"), precision):  # type: ignore[arg-type]
                pass
            assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
