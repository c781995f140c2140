"""Processes that are at work in one folder of images, and how it is given up."""

import multiprocessing
import os
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import pytest
from contract_methods import FromOutside

from naturalinversion import SyntheticDataset, Teacher, synthesize
from naturalinversion.errors import StoreError
from naturalinversion.image_store import same_run
from naturalinversion.image_store.meta import META, Meta, read_meta, write_meta
from naturalinversion.image_store.same_run import claim
from naturalinversion.image_store.shared_folder import claimed

MakeTeacher = Callable[..., Teacher]
RUN = Meta("mine", "teacher", 4, (3, 16, 16), (0.5,), (0.5,), 0, 8, 1)
OTHER = msgspec.structs.replace(RUN, seed=1)


def begin(folder: Path, meta: Meta = RUN) -> ExitStack:
    """A call that is at work in the folder, until `stop`."""
    work = ExitStack()
    work.enter_context(claimed(folder, meta))
    return work


def stop(work: ExitStack) -> None:
    """Ctrl-C."""
    with pytest.raises(KeyboardInterrupt), work:
        raise KeyboardInterrupt


def test_a_call_that_stops_leaves_the_folder_to_another_at_work_there(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """The first one claims the folder, the second joins it and makes a batch; the first stops."""
    teacher, folder = make_teacher(), tmp_path / "images"

    def fill(folder: Path, **more: Any) -> SyntheticDataset:
        return synthesize(FromOutside(), teacher, folder, batches=1, batch_size=8, **more)

    meta = msgspec.structs.replace(fill(tmp_path / "whole").meta, agreed=())
    first = begin(folder, meta)
    assert len(fill(folder, on_batch=lambda index, batch: stop(first))) == 8
    assert SyntheticDataset(folder).teacher_agreement is not None


def test_the_last_at_work_gives_an_empty_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    first, second = begin(folder), begin(folder)
    stop(first)
    with pytest.raises(StoreError, match="seed was 0, is now 1"):
        begin(folder, OTHER)
    stop(second)
    assert not list(folder.iterdir())
    begin(folder, OTHER).close()
    assert read_meta(folder) == OTHER


def join(folder: Path, caller: Connection) -> None:
    """Be at work in the folder from one message of the caller to the next."""
    caller.recv()
    with claimed(folder, read_meta(folder)):
        caller.send("at work")
        caller.recv()


def test_the_other_one_may_be_another_process(tmp_path: Path) -> None:
    folder, forked = tmp_path / "images", multiprocessing.get_context("fork")
    here, there = forked.Pipe()
    other = forked.Process(target=join, args=(folder, there))
    other.start()  # before this one opens any file there, which the other would share
    first = begin(folder)
    here.send("join")
    assert here.recv() == "at work"
    stop(first)
    assert read_meta(folder) == RUN
    here.send("stop")
    other.join()
    assert other.exitcode == 0


@pytest.mark.parametrize("links", [True, False])
def test_of_two_runs_that_start_together_one_has_the_folder(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one writes its meta.json where this one has seen that there is none."""

    def late(folder: Path, meta: Meta, *, new: bool = False) -> None:
        write_meta(folder, OTHER)
        write_meta(folder, meta, new=new)

    def fails(*given: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(same_run, "write_meta", late)
    if not links:
        monkeypatch.setattr(os, "link", fails)
    with pytest.raises(StoreError, match="seed was 1, is now 0"):
        claim(tmp_path, RUN)
    assert read_meta(tmp_path) == OTHER
    assert [path.name for path in tmp_path.iterdir()] == [META]
    assert claim(tmp_path, OTHER) == OTHER
