"""Both CIFAR layouts, and one clear line for what is amiss."""

import hashlib
import multiprocessing
import pickle
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from benchmarks.datasets.load import load, require
from naturalinversion.errors import MissingError, UsageError
from tests.benchmarks.datasets.trees import MakeTree, error_line

FORK = multiprocessing.get_context("fork")  # with what a test has replaced, and without an import


@pytest.mark.parametrize(
    ("name", "official"), [("cifar10", "cifar-10-batches-py"), ("cifar100", "cifar-100-python")]
)
def test_missing_cifar_names_both_places_and_both_flags(
    name: str, official: str, tmp_path: Path
) -> None:
    message = error_line(name, tmp_path, MissingError)
    for part in (f"{tmp_path}/{official}", f"{tmp_path}/{name}/", "--data-root", "--download"):
        assert part in message


def test_cifar_tree(make_tree: MakeTree) -> None:
    root = make_tree("cifar10", classes=10).parent
    dataset = load("cifar10", root=root)
    assert dataset.train.images.shape == (40, 3, 32, 32)
    assert torch.equal(dataset.train.labels, torch.arange(10).repeat_interleave(4))
    assert torch.equal(dataset.train.images[:, 0, 0, 0].long(), dataset.train.labels)
    assert dataset.mean == (0.4914, 0.4822, 0.4465)
    assert dataset.std == (0.2023, 0.1994, 0.2010)
    assert load("cifar10", root=root, image_size=16).train.images.shape[-1] == 16


def test_half_a_data_set_is_said_once(
    make_tree: MakeTree, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_tree("cifar10", classes=10)
    for _ in range(2):
        load("cifar10", root=folder.parent)
    said = capfd.readouterr().err.splitlines()
    assert said == [
        f"warning: {folder}/train holds 40 of 50,000 images",
        f"warning: {folder}/test holds 20 of 10,000 images",
    ]


def test_numbered_class_folders_keep_their_numbers(make_tree: MakeTree) -> None:
    root = make_tree("cifar100", classes=100, names="{}").parent
    dataset = load("cifar100", root=root)
    assert dataset.classes == tuple(str(label) for label in range(100))
    assert torch.equal(dataset.test.images[:, 0, 0, 0].long(), dataset.test.labels)


def test_half_copied_tree_names_the_class_folder(make_tree: MakeTree) -> None:
    folder = make_tree("cifar10", classes=10)
    missing = folder / "train" / "class9"
    for file in missing.iterdir():
        file.unlink()
    assert str(missing) in error_line("cifar10", folder.parent, MissingError)
    missing.rmdir()
    assert str(missing) in error_line("cifar10", folder.parent, MissingError)
    (folder / "test" / "class9" / "0.png").unlink()
    (folder / "test" / "class9" / "1.png").unlink()
    (folder / "test" / "class9").rmdir()
    assert "9 class folders" in error_line("cifar10", folder.parent, MissingError)


def test_what_is_absent_or_half_copied_is_found_before_it_is_loaded(make_tree: MakeTree) -> None:
    folder = make_tree("cifar10", classes=9)
    for root in (folder, folder.parent):
        with pytest.raises(MissingError) as caught:
            require("cifar10", root)
        assert str(caught.value) == error_line("cifar10", root, MissingError)


def test_cifar_tree_of_another_size(make_tree: MakeTree) -> None:
    folder = make_tree("cifar10", classes=10, size=28)
    assert "28x28" in error_line("cifar10", folder.parent, UsageError)


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two batches in torchvision's layout, with sums of their own in place of the published."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sums = {}
    for name, count in (("data_batch_1", 20), ("test_batch", 10)):
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": pixels, "labels": [i % 10 for i in range(count)]})
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    content = pickle.dumps({"label_names": [f"name{i}" for i in range(10)]})
    (folder / "batches.meta").write_bytes(content)
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": hashlib.md5(content).hexdigest(),
    }
    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(cifar, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(cifar, "meta", meta)
    return folder


def test_torchvisions_layout(official: Path) -> None:
    dataset = load("cifar10", root=official.parent)
    raw = pickle.loads((official / "data_batch_1").read_bytes())["data"]
    assert np.array_equal(dataset.train.images.numpy().reshape(20, 3072), raw)
    assert dataset.classes[9] == "name9"
    assert len(dataset.test) == 10


def test_torchvisions_layout_names_the_file_that_is_amiss(official: Path) -> None:
    batch = official / "test_batch"
    batch.write_bytes(batch.read_bytes()[:-1])
    assert str(batch) in error_line("cifar10", official.parent, UsageError)
    batch.unlink()
    assert str(batch) in error_line("cifar10", official.parent, MissingError)


def test_two_processes_that_ask_for_a_download_fetch_once(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds what the first has fetched, and not half of it."""
    source, log = tmp_path / "source", tmp_path / "log"
    official.rename(source)
    begin = FORK.Barrier(2)

    def fetch(url: str, root: str, **options: object) -> None:
        with log.open("a") as file:
            file.write("fetched\n")
        for path in sorted(source.iterdir()):
            (Path(root) / official.name).mkdir(parents=True, exist_ok=True)
            time.sleep(0.1)
            shutil.copy(path, Path(root) / official.name)

    def ask() -> None:
        begin.wait(10)
        dataset = load("cifar10", root=official.parent, download=True)
        sys.exit(0 if len(dataset.train) == 20 else 1)

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", fetch)
    processes = [FORK.Process(target=ask) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert log.read_text() == "fetched\n"


def test_download_happens_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fetch(url: str, root: object, **options: object) -> None:
        asked.append(url)
        print("chatter")
        raise OSError("no route\nto host")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", fetch)
    error_line("cifar10", tmp_path, MissingError)
    assert not asked
    with pytest.raises(MissingError, match="no route to host") as caught:
        load("cifar10", root=tmp_path, download=True)
    assert len(asked) == 1
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
