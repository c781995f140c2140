"""`synthesize`: seeds, progress, folders of other runs, and what it refuses."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from contract_methods import FromOutside
from torch import Tensor, nn

from baselines.noise import Noise
from naturalinversion import Teacher, Training, synthesize
from naturalinversion.errors import SettingError, StoreError
from naturalinversion.image_store.meta import META
from naturalinversion.progress import Progress
from tests.naturalinversion.synthesis.small_runs import BATCHES, ITERATIONS, SIZE, fill, small

MakeTeacher = Callable[..., Teacher]


def test_what_is_left_of_a_batch_goes_to_other_classes_by_batch_and_seed(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """Thirteen images of ten classes: one of each, and a second one of three drawn at random."""
    teacher = make_teacher(num_classes=10)

    def doubled(folder: str, seed: int) -> list[list[int]]:
        """The classes that have two images, by batch."""
        dataset = synthesize(
            Noise(), teacher, tmp_path / folder, batches=2, batch_size=13, seed=seed
        )
        counts = [torch.bincount(labels, minlength=10) for _, labels in dataset.shards()]
        assert all(sorted(count.tolist()) == [1] * 7 + [2] * 3 for count in counts)
        return [(count == 2).nonzero().flatten().tolist() for count in counts]

    first, other = doubled("a", 0), doubled("b", 1)
    assert first[0] != first[1]
    assert first[0] != other[0]
    assert doubled("again", 0) == first


def test_what_is_prepared_comes_from_the_seed_of_the_run(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """The seed that a method is given, and the generator that all batches of NI share."""
    teacher = make_teacher()
    given: list[int] = []
    shared: list[Tensor] = []

    class Prepared(FromOutside):
        def prepare(self, teacher: Teacher, student: Any, seed: int, training: Training) -> None:
            super().prepare(teacher, student, seed, training)
            given.append(seed)

    for folder, seed in (("a", 0), ("b", 1), ("again", 0)):
        fill(teacher, tmp_path / "outside" / folder, Prepared(), seed=seed)
        method = small(one_to_one=False, shared_batch=SIZE)
        fill(teacher, tmp_path / "ni" / folder, method, seed=seed)
        state = method.state_dict()
        shared.append(torch.cat([state[name].flatten() for name in sorted(state)]))
    assert given[0] == given[2] != given[1]
    assert torch.equal(shared[0], shared[2])
    assert not torch.equal(shared[0], shared[1])


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"settings": {"noise": 2}}, {"method": "another"}], ids=str
)
def test_a_folder_of_another_run_is_refused(
    other: dict[str, Any], make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    fill(teacher, tmp_path, FromOutside())
    with pytest.raises(StoreError, match="holds images of another run"):
        fill(teacher, tmp_path, FromOutside(), **other)


def test_the_same_call_again_goes_on_whatever_the_settings_hold(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """JSON knows no tuples: a folder written a moment ago is still this run's."""
    settings = {"milestones": (0.4, 0.8), "stages": None}
    for _ in range(2):
        dataset = fill(make_teacher(), tmp_path, FromOutside(), settings=settings)
    assert len(dataset) == BATCHES * SIZE


def test_progress_is_drawn_where_it_is_asked_for(
    make_teacher: MakeTeacher, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(make_teacher(), tmp_path / "a", small())
    assert capfd.readouterr().err == ""
    steps: list[int] = []
    training = Training(progress=steps.append)
    fill(make_teacher(), tmp_path / "b", small(), progress=True, training=training)
    assert f"/{ITERATIONS * BATCHES} [" in capfd.readouterr().err, "iterations of all batches"
    assert sum(steps) == ITERATIONS * BATCHES, "the caller is told as well"
    fill(make_teacher(), tmp_path / "b", small(), progress=True)
    assert capfd.readouterr().err == "", "nothing to do, no bar"


def test_progress_may_be_drawn_otherwise_and_is_that_of_the_batches_to_be_made(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    asked: list[int] = []
    steps: list[int] = []

    def draw(total: int) -> AbstractContextManager[Progress]:
        asked.append(total)
        return nullcontext(steps.append)

    for batches in (1, BATCHES, BATCHES):
        synthesize(
            small(), make_teacher(), tmp_path, batches=batches, batch_size=SIZE, progress=draw
        )
    assert asked == [ITERATIONS, ITERATIONS * (BATCHES - 1)], "nothing to do, nothing drawn"
    assert sum(steps) == sum(asked)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"batch_size": 8.0}, "batch_size is 8.0: a whole number"),
        ({"batches": "3"}, "batches is '3': a whole number"),
        ({"seed": 1.5}, "seed is 1.5: a whole number"),
        ({"first": None}, "first is None: a whole number"),
        ({"method": 3}, "meta.json can't remember the run: Expected `str`, got `int`"),
    ],
    ids=str,
)
def test_a_number_of_another_type_is_one_line_and_leaves_no_folder(
    wrong: dict[str, Any], says: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    numbers: dict[str, Any] = {"batches": BATCHES, "batch_size": SIZE}
    with pytest.raises(SettingError) as caught:
        synthesize(FromOutside(), make_teacher(), tmp_path / "a", **numbers | wrong)
    assert str(caught.value).startswith(says)
    assert not (tmp_path / "a").exists()


def test_numbers_of_numpy_and_torch_are_the_same_run(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    fill(make_teacher(), tmp_path, FromOutside(), seed=1)
    before = (tmp_path / META).read_bytes()
    model, (channels, height, width) = make_teacher().model, np.array([3, 16, 16])
    teacher = Teacher(model, num_classes=torch.tensor(4), image_shape=(channels, height, width))  # type: ignore[arg-type]
    numbers: dict[str, Any] = {"batches": np.int32(BATCHES), "batch_size": torch.tensor(SIZE)}
    synthesize(FromOutside(), teacher, tmp_path, seed=np.int64(1), **numbers)  # type: ignore[arg-type]
    assert (tmp_path / META).read_bytes() == before


def test_a_network_in_place_of_a_teacher_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"Linear is a network; synthesize takes Teacher\(Linear"
    ):
        fill(cast(Any, nn.Linear(2, 2)), tmp_path / "none", small())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("teacher", "says"),
    [("vgg11", "'vgg11' is no teacher; synthesize takes Teacher"), (None, "None is no teacher")],
)
def test_what_is_no_teacher_is_one_line(teacher: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=says):
        fill(teacher, tmp_path / "none", small())


def test_what_can_be_no_folder_is_one_line(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    other = tmp_path / ("x" * 300), tmp_path / "zero\0"
    for folder in (tmp_path / "file", tmp_path / "file" / "images", *other):
        with pytest.raises(StoreError, match="can't be a folder of images"):
            fill(make_teacher(), folder, small())
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
def test_a_folder_that_can_not_be_made_is_one_line(
    error: type[OSError], make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdir(*given: Any, **more: Any) -> None:
        raise error(1, "No such luck")

    teacher = make_teacher()
    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(StoreError, match=r"/new can't be a folder of images: No such luck$"):
        fill(teacher, tmp_path / "new", small())


def test_a_role_of_the_student_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    method = FromOutside()
    method.student_use = "rival"  # type: ignore[assignment,misc]
    with pytest.raises(SettingError, match="student_use is 'rival'"):
        fill(cast(Any, None), tmp_path / "none", method)
