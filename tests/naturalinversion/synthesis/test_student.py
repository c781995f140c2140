"""What becomes of a student that is passed to `synthesize`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from contract_methods import SMALL, small
from laws import student
from laws import teacher as small_teacher
from torch import Tensor, nn

from baselines.deep_inversion import DeepInversion
from naturalinversion import Batch, SyntheticDataset, Teacher, Training, checkpoint, synthesize
from naturalinversion.digest import weights_digest
from naturalinversion.errors import (
    DivergedError,
    NaturalInversionWarning,
    SettingError,
    StoreError,
)
from tests.baselines.bank_methods import fast
from tests.naturalinversion.teacher.zoo import ZOO

pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")


def surroundings(model: nn.Module) -> tuple[object, ...]:
    """All of it but values and modes."""
    tensors = [*model.parameters(), *model.buffers()]
    return (
        [(tensor.requires_grad, tensor.stride()) for tensor in tensors],
        [len(module._forward_pre_hooks) for module in model.modules()],
        [sorted(vars(module)) for module in model.modules()],
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("adi", "AdaptiveDeepInversion needs a student to compete with"),
        ("dafl", "DAFL needs a student to train with the generator"),
        ("cmi", "CMI needs a student to train with the generator"),
    ],
)
def test_a_method_without_the_student_it_needs_is_one_line_and_leaves_no_folder(
    name: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError) as caught:
        synthesize(small(name), small_teacher(), tmp_path / "none", batches=1, batch_size=8)
    assert str(caught.value) == says
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", SMALL)
def test_a_student_that_reads_maps_with_view_takes_part_and_is_given_back(
    name: str, tmp_path: Path
) -> None:
    """So it is where all batches are there already."""
    teacher = Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments())
    joint = small(name).student_use == "joint"
    results = []
    for _ in range(2):
        model = ZOO["view"].make().train()
        first = next(model.parameters()).requires_grad_(False)
        before = surroundings(model)
        synthesize(small(name), teacher, tmp_path, batches=2, batch_size=8, student=model)
        assert surroundings(model) == before
        assert [module.training for module in model.modules()] == [
            not joint for _ in model.modules()
        ]
        assert not first.requires_grad
        results.append(model.state_dict())
    for key, tensor in results[0].items():
        assert torch.equal(tensor, results[1][key])


def test_a_run_that_ends_in_the_warm_up_gives_back_a_student_that_can_be_trained(
    tmp_path: Path,
) -> None:
    model = student()
    method, teacher = fast(warmup=3), small_teacher()
    with pytest.warns(NaturalInversionWarning, match="student stays as it is.* 3 batches.* 2 are"):
        synthesize(method, teacher, tmp_path, batches=2, batch_size=8, student=model)
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(("name", "error"), [("dfad", KeyboardInterrupt), ("fast", DivergedError)])
def test_a_call_that_fails_leaves_the_student_as_it_was_and_the_same_call_goes_on(
    name: str, error: type[BaseException], tmp_path: Path
) -> None:
    """As in a notebook, where a cell is interrupted and run again."""
    model, expected = student(), student()

    def run(folder: str, of: nn.Module, **more: Any) -> SyntheticDataset:
        numbers = {"batches": 3, "batch_size": 8}
        return synthesize(
            small(name), small_teacher(), tmp_path / folder, student=of, **numbers, **more
        )

    def stop(index: int, batch: Batch) -> None:
        if index == 2:
            assert weights_digest(model) != before
            raise error

    before = weights_digest(model)
    with pytest.raises(error):
        run("cut", model, on_batch=stop)
    assert weights_digest(model) == before
    assert all(module.training for module in model.modules())
    found, whole = run("cut", model), run("whole", expected)
    assert torch.equal(found.tensors()[0], whole.tensors()[0])
    assert weights_digest(model) == weights_digest(expected)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("name", ["dafl", "dfad", "cmi", "fast"])
@pytest.mark.parametrize("stopped", [False, True])
def test_gradients_are_those_of_before_whether_the_call_ends_or_fails(
    name: str, stopped: bool, tmp_path: Path
) -> None:
    def stop(index: int, batch: Batch) -> None:
        if stopped and index == 1:
            raise KeyboardInterrupt

    model = student()
    first, *others = model.parameters()
    own = first.grad = torch.full_like(first, 7.0)
    numbers = {"batches": 2, "batch_size": 8, "on_batch": stop}
    with pytest.raises(KeyboardInterrupt) if stopped else nullcontext():
        synthesize(small(name), small_teacher(), tmp_path, student=model, **numbers)
    assert first.grad is own
    assert (own == 7.0).all()
    assert all(parameter.grad is None for parameter in others)


class Steps(nn.Module):
    """Counts its passes in training mode, and keeps the last; a state dict has neither."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(()), persistent=False)
        self.register_buffer("new", torch.zeros(()), persistent=False)
        self.register_buffer("last", None, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        if self.training:
            self.passes += 1
            self.new = self.new + 1
            self.last = values.detach()
        return values


@pytest.mark.parametrize("name", ["dfad", "cmi"])
def test_a_call_that_fails_leaves_buffers_outside_the_state_dict_as_they_were(
    name: str, tmp_path: Path
) -> None:
    def stop(index: int, batch: Batch) -> None:
        assert steps.passes > 0
        assert steps.last is not None
        raise KeyboardInterrupt

    steps = Steps()
    model = nn.Sequential(student(), steps)
    before = dict(steps.named_buffers())
    numbers = {"batches": 1, "batch_size": 8, "on_batch": stop}
    with pytest.raises(KeyboardInterrupt):
        synthesize(small(name), small_teacher(), tmp_path, student=model, **numbers)
    assert dict(steps.named_buffers()).keys() == before.keys()
    assert all(buffer is before[key] for key, buffer in steps.named_buffers())
    assert not any(buffer.any() for buffer in before.values())


class Noted(nn.Identity):
    """Has an extra state."""

    def __init__(self, note: Any) -> None:
        super().__init__()
        self.note = note

    def get_extra_state(self) -> Any:
        return self.note

    def set_extra_state(self, state: Any) -> None:
        self.note = state


@pytest.mark.parametrize(
    ("name", "note", "refused"),
    [
        ("cmi", {"v": 1}, True),
        ("fast", 1, True),
        ("fast", torch.ones(2), False),
        ("dfad", {"v": 1}, False),
    ],
)
def test_an_extra_state_that_is_no_tensor_is_refused_where_it_can_not_be_kept(
    name: str, note: Any, refused: bool, tmp_path: Path
) -> None:
    model = nn.Sequential(student(), Noted(note))
    says = r"^the student's '1' has an extra state that is .*1.*, not a tensor: \w+ can't keep it"
    with pytest.raises(SettingError, match=says) if refused else nullcontext():
        synthesize(
            small(name), small_teacher(), tmp_path / "a", batches=2, batch_size=8, student=model
        )
    assert (tmp_path / "a").exists() != refused


def partly_frozen(model: nn.Module) -> nn.Module:
    """Its first layer is frozen."""
    model.get_submodule("0").requires_grad_(False)
    return model


@pytest.mark.parametrize("name", ["dfad", "fast"])
@pytest.mark.parametrize("stopped", [False, True])
def test_other_frozen_weights_are_another_run(name: str, stopped: bool, tmp_path: Path) -> None:
    """A student that was trained whole was loaded over them, or the states did not fit."""

    def run(of: nn.Module, stop_at: int = 4, **more: Any) -> None:
        def stop(index: int, batch: Batch) -> None:
            if index == stop_at:
                raise KeyboardInterrupt

        numbers = {"batches": 3, "batch_size": 8, "on_batch": stop}
        with patch.object(checkpoint, "EVERY", 0.0):
            synthesize(small(name), small_teacher(), tmp_path, student=of, **numbers, **more)

    whole = student()
    with pytest.raises(KeyboardInterrupt) if stopped else nullcontext():
        run(whole, 2 if stopped else 4)
    other = partly_frozen(student())
    with pytest.raises(
        StoreError, match=r"the student's frozen part was none, is now \w{12}…; take"
    ):
        run(other)
    assert weights_digest(other) == weights_digest(student())
    run(student())
    run(partly_frozen(whole), student_known=True)  # there is nothing to train


def test_a_known_student_with_other_frozen_weights_is_not_trained_on(tmp_path: Path) -> None:
    def run(of: nn.Module, batches: int, **more: Any) -> None:
        numbers = {"batches": batches, "batch_size": 8}
        synthesize(small("fast"), small_teacher(), tmp_path, student=of, **numbers, **more)

    trained = student()
    run(trained, 1)
    for other in (partly_frozen(trained), partly_frozen(student())):
        with pytest.raises(StoreError, match="they need it as it was before"):
            run(other, 2, student_known=True)


def test_methods_by_themselves_leave_a_student_that_can_be_trained() -> None:
    """As when `prepare` and `batch` are called without `synthesize`."""
    for method, training in ((fast(warmup=3), False), (DeepInversion(iterations=1), True)):
        model = student()
        method.prepare(small_teacher(), model, 0, Training())
        method.batch(torch.arange(8) % 4, 0, lambda done: None)
        assert all(module.training == training for module in model.modules())
        assert all(parameter.requires_grad for parameter in model.parameters())
