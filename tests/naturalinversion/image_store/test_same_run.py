"""A folder of images remembers its run: the same is resumed or grown, another one is named."""

import importlib
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from contract_methods import SMALL, FromOutside
from torch import nn

from baselines import METHODS
from naturalinversion import NaturalInversion, SyntheticDataset, Teacher, synthesize
from naturalinversion.classifiers import build
from naturalinversion.errors import (
    MethodError,
    NaturalInversionWarning,
    SettingError,
    StoreError,
)
from naturalinversion.image_store.meta import META, read_meta, write_meta
from naturalinversion.image_store.shards import shard_path
from naturalinversion.seeds import seeded

MakeTeacher = Callable[..., Teacher]
SIZE = 8


@dataclass(kw_only=True)
class Counted(FromOutside):
    """Counts the batches it makes."""

    kind: str = "plain"
    made = 0  # no field

    def batch(self, *arguments: Any) -> Any:
        self.made += 1
        return super().batch(*arguments)


def fill(teacher: Teacher, folder: Path, method: Any, batches: int = 2, **more: Any) -> Any:
    return synthesize(method, teacher, folder, batches=batches, batch_size=SIZE, **more)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def student(seed: int = 3) -> nn.Module:
    with seeded(seed):
        return build("resnet18", 4, 0.0625)


def test_other_settings_are_named_old_and_new(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    """The README's lines with more iterations than the folder's images were made with."""
    method = NaturalInversion(iterations=2, latent=8, generator_width=0.1)
    fill(make_teacher(), tmp_path, method)
    before = content(tmp_path)
    pattern = "holds images of another run: iterations was 2, is now 4; take another folder$"
    with pytest.raises(StoreError, match=pattern):
        fill(make_teacher(), tmp_path, replace(method, iterations=4))
    with pytest.raises(
        StoreError, match=r"flip was True, is now False, l2 was 1.5e-05, is now 0.0"
    ):
        fill(make_teacher(), tmp_path, replace(method, flip=False, l2=0.0))
    assert content(tmp_path) == before


def test_another_method_is_named_before_its_settings(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    fill(make_teacher(), tmp_path, METHODS["ni"](**SMALL["ni"]))
    pattern = "another run: method was NaturalInversion, is now DeepInversion, .* more; take"
    with pytest.raises(StoreError, match=pattern):
        fill(make_teacher(), tmp_path, METHODS["di"](**SMALL["di"]))


def test_what_the_caller_says_is_added_to_what_the_method_says(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    dataset = fill(make_teacher(), tmp_path, Counted(noise=0.3), settings={"note": 1})
    assert dataset.meta.settings == {"noise": 0.3, "kind": "plain", "note": 1}
    with pytest.raises(StoreError, match=r"noise was 0.3, is now 0.5, note was 1, is now 2"):
        fill(make_teacher(), tmp_path, Counted(), settings={"note": 2})


def test_another_teacher_seed_batch_size_or_student_is_named(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher, method = make_teacher(), METHODS["adi"](**SMALL["adi"])
    fill(teacher, tmp_path, method, student=student())
    for change, pattern in (
        ({"seed": 3}, "seed was 0, is now 3"),
        ({"first": 1}, "the first batch was 0, is now 1"),
        ({"student": student(4)}, r"the student was \w{12}…, is now \w{12}…"),
    ):
        with pytest.raises(StoreError, match=pattern):
            fill(teacher, tmp_path, method, **{"student": student(), **change})
    with pytest.raises(StoreError, match="batch_size was 8, is now 4"):
        synthesize(method, teacher, tmp_path, batches=2, batch_size=4, student=student())
    with pytest.raises(StoreError, match=r"the teacher was \w{12}…, is now"):
        fill(make_teacher(width=0.125), tmp_path, method, student=student())
    model, shape = teacher.model, teacher.image_shape
    finer = Teacher(model, num_classes=4, image_shape=shape, smallest_stage=8)
    with pytest.raises(StoreError, match="stages was"):
        fill(finer, tmp_path, method, student=student())
    rounded = Teacher(model, num_classes=4, image_shape=shape, precision="bf16")
    with pytest.raises(StoreError, match="precision was fp32, is now bf16"):
        fill(rounded, tmp_path, method, student=student())


def test_more_batches_are_added_and_fewer_are_read(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    method = Counted()
    fill(make_teacher(), tmp_path / "whole", Counted(), 5)
    assert len(fill(make_teacher(), tmp_path / "grown", method, 2)) == 2 * SIZE
    assert len(fill(make_teacher(), tmp_path / "grown", method, 5)) == 5 * SIZE
    assert method.made == 5, "none twice"
    assert content(tmp_path / "grown") == content(tmp_path / "whole")
    few = fill(make_teacher(), tmp_path / "grown", method, 3)
    assert (len(few), method.made) == (3 * SIZE, 5)
    assert torch.equal(few.tensors()[0], SyntheticDataset(tmp_path / "whole", 3).tensors()[0])
    assert len(SyntheticDataset(tmp_path / "grown")) == 5 * SIZE, "the others are still there"


def test_a_stop_while_batches_are_added_leaves_the_old_set_readable(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    def stop(index: int, batch: object) -> None:
        if index == 4:
            raise KeyboardInterrupt

    fill(make_teacher(), tmp_path, Counted(), 2)
    with pytest.raises(KeyboardInterrupt):
        fill(make_teacher(), tmp_path, Counted(), 6, on_batch=stop)
    assert len(SyntheticDataset(tmp_path).tensors()[0]) == 2 * SIZE
    method = Counted()
    assert len(fill(make_teacher(), tmp_path, method, 6).tensors()[0]) == 6 * SIZE
    assert method.made == 2


def test_a_shard_of_another_set_is_made_anew(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    wanted = fill(make_teacher(), tmp_path / "a", Counted()).tensors()[0]
    fill(make_teacher(size=32), tmp_path / "b", Counted())
    shard_path(tmp_path / "a", 1).write_bytes(shard_path(tmp_path / "b", 1).read_bytes())
    with pytest.raises(StoreError, match=r"another set's: images \(8, 3, 32, 32\), not \(8, 3, 16"):
        SyntheticDataset(tmp_path / "a").tensors()
    assert torch.equal(fill(make_teacher(), tmp_path / "a", Counted()).tensors()[0], wanted)


def test_batches_without_a_meta_are_nobodys(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    fill(make_teacher(), tmp_path, Counted())
    (tmp_path / META).unlink()
    with pytest.raises(StoreError, match=r"batch-00000\.safetensors lies there without a meta"):
        fill(make_teacher(), tmp_path, Counted())


def test_a_store_of_an_earlier_version_goes_on_where_its_settings_are_recorded(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    fill(make_teacher(), tmp_path, Counted(), settings={})
    old = msgspec.json.decode((tmp_path / META).read_bytes())
    for name in ("source", "precision", "stages", "logits", "agreed"):
        del old[name]
    for name in ("student", "student_logits", "student_frozen"):
        del old[name]
    (tmp_path / META).write_bytes(msgspec.json.encode(old))
    assert SyntheticDataset(tmp_path).teacher_agreement is None
    assert fill(make_teacher(), tmp_path, Counted()).teacher_agreement is not None


CODE = """
from contract_methods import FromOutside
class Mine(FromOutside):
    def batch(self, labels, seed, progress):
        return super().batch(labels, seed + {number}, progress)
"""
SCRIPT = """
{code}
from naturalinversion import Teacher, synthesize
from naturalinversion.classifiers import build
from naturalinversion.seeds import seeded
with seeded(7):
    model = build("resnet18", 4, 0.0625)
teacher = Teacher(model, num_classes=4, image_shape=(3, 16, 16))
synthesize(Mine(), teacher, "images", batches={batches}, batch_size=8)
"""
CHANGED = r"the code of the method was \w{12}…, is now \w{12}…; take another folder"


def test_the_edited_file_of_a_method_from_outside_is_another_run(
    make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "edited_method.py").write_text(CODE.format(number=1))
    module = importlib.import_module("edited_method")
    for batches in (1, 2):
        fill(make_teacher(), tmp_path / "images", module.Mine(), batches)
    (tmp_path / "edited_method.py").write_text(CODE.format(number=22))
    importlib.reload(module)
    with pytest.raises(StoreError, match=CHANGED):
        fill(make_teacher(), tmp_path / "images", module.Mine())
    del sys.modules["edited_method"]


@pytest.mark.parametrize("error", [MethodError, KeyError, KeyboardInterrupt])
def test_a_run_that_made_nothing_leaves_its_folder_to_the_next(
    error: type[BaseException], make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """A method is mended, and run again in the folder in which it failed."""

    class Fails(Counted):
        def batch(self, *arguments: Any) -> Any:
            raise error("no image")

    folder = tmp_path / "images"
    for existed in (False, True):  # then in an empty one, which is the caller's
        with pytest.raises(error):
            fill(make_teacher(), folder, Fails())
        assert folder.exists() == existed
        assert not (folder / META).exists()
        folder.mkdir(exist_ok=True)
    assert len(fill(make_teacher(), folder, Counted())) == 2 * SIZE


def test_a_run_that_fails_later_keeps_its_folder(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    class FailsLater(Counted):
        def batch(self, *arguments: Any) -> Any:
            if self.made:
                raise MethodError("no image")
            return super().batch(*arguments)

    with pytest.raises(MethodError):
        fill(make_teacher(), tmp_path, FailsLater())
    with pytest.raises(StoreError, match="holds images of another run"):
        fill(make_teacher(), tmp_path, Counted())


def test_a_script_may_ask_for_more_but_not_change_its_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class and the number of batches stand in the same file."""
    monkeypatch.chdir(tmp_path)

    def run(number: int, batches: int) -> None:
        script = SCRIPT.format(code=CODE.format(number=number), batches=batches)
        Path("script.py").write_text(script)
        runpy.run_path("script.py", run_name="__main__")

    for batches in (1, 2):
        run(1, batches)
    with pytest.raises(StoreError, match=CHANGED):
        run(22, 2)
    assert read_meta(tmp_path / "images").batches == 2


def test_no_method_is_refused_in_one_line(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"Counted is a class; synthesize takes a method: Count"):
        fill(make_teacher(), tmp_path, Counted)
    with pytest.raises(SettingError, match="dict is no method: it has no 'student_use'"):
        fill(make_teacher(), tmp_path, {})
    method = Counted()
    method.sequential = True  # type: ignore[attr-defined]
    with pytest.raises(SettingError, match="Counted is no method: it has no 'state_dict'"):
        fill(make_teacher(), tmp_path, method)


def test_batches_of_another_version_are_said_to_be_there(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    method = FromOutside()
    fill(make_teacher(), tmp_path, method, batches=1)
    meta = read_meta(tmp_path)
    assert meta.version == version("naturalinversion")
    write_meta(tmp_path, msgspec.structs.replace(meta, version="0.0.9"))
    fill(make_teacher(), tmp_path, method, batches=1)  # nothing is made
    for before, name in (("0.0.9", r"version 0\.0\.9"), (None, "an earlier version")):
        write_meta(tmp_path, msgspec.structs.replace(read_meta(tmp_path), version=before))
        with pytest.warns(NaturalInversionWarning, match=f"its batches are of {name}, version "):
            fill(make_teacher(), tmp_path, method, batches=read_meta(tmp_path).batches + 1)
