"""A trained classifier's cell becomes one that comes with the library."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.datasets.dataset import Split
from benchmarks.datasets.load import load
from benchmarks.training import pack_ready
from benchmarks.training.pack_ready import pack
from naturalinversion.classifiers.ready import describe, load_ready
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from reports.records import Cost, Provenance, Record, write
from tests.benchmarks.command_line import one_line

RECORDED = 0.123  # the accuracy in the cell's record, which no share of 500 images is


def finished_cell(cell: Path, width: float) -> tuple[nn.Module, Classifier]:
    """Of a classifier of digits."""
    digits = load("digits", root=cell, image_size=16)
    description = Classifier("vgg11", 10, width, 16, digits.mean, digits.std)
    model = description.build(0)
    cell.mkdir()
    save_classifier(cell / WEIGHTS, model, description)
    where = Provenance("abc", {}, "cpu", "fp32", 1, "Linux", "now", "AMD EPYC")
    recipe = {"arch": "vgg11", "dataset": "digits", "width": width, "training": {"epochs": 1}}
    record = Record(
        kind="classifier",
        label="x",
        key="0" * 12,
        recipe=recipe,
        inputs={},
        metrics={"test_accuracy": RECORDED},
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=where,
        artefacts={},
    )
    write(cell, record)
    return model, description


def test_weights_are_rounded_tested_and_described(tmp_path: Path) -> None:
    digits, cell = load("digits", root=tmp_path, image_size=16), tmp_path / "cell"
    model, description = finished_cell(cell, 0.125)
    packed = pack(cell, "digits-vgg11", tmp_path, tmp_path / "ready")
    assert describe("digits-vgg11", tmp_path / "ready") == packed
    assert packed.classes == tuple(digits.classes)
    assert 0 <= packed.test_accuracy <= 1
    loaded, found = load_ready("digits-vgg11", tmp_path / "ready")
    assert found == description
    for name, tensor in model.float().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)


def test_the_accuracy_is_the_stored_networks_on_the_test_images(tmp_path: Path) -> None:
    """Not the one before rounding, which the record has, nor that of images it was trained on."""
    digits, cell = load("digits", root=tmp_path, image_size=16), tmp_path / "cell"
    finished_cell(cell, 0.125)
    packed = pack(cell, "digits-vgg11", tmp_path, tmp_path / "ready")
    model, _ = load_ready("digits-vgg11", tmp_path / "ready")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (digits.mean, digits.std))

    def share_right(split: Split) -> float:
        with torch.no_grad():
            answers = model.eval()((split.images / 255 - mean) / std).argmax(dim=1)
        return float((answers == split.labels).double().mean())

    assert packed.test_accuracy == pytest.approx(share_right(digits.test), abs=1e-9)
    assert packed.test_accuracy not in (RECORDED, pytest.approx(share_right(digits.train)))


def test_what_cannot_be_packed_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_ready, "LARGEST", 1000)
    finished_cell(tmp_path / "large", 0.125)
    known = set(pack_ready.FOLDER.iterdir())
    for name, code, says in (("none", 1, "record.json"), ("large", 2, "more than 1,000")):
        assert pack_ready.main(tmp_path / name, "digits-never", tmp_path) == code
        assert says in one_line(capsys.readouterr().err)
    assert set(pack_ready.FOLDER.iterdir()) == known
