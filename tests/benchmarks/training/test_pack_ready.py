"""A trained classifier's cell becomes one that comes with the library."""

from pathlib import Path

import torch

from benchmarks.datasets.load import load
from benchmarks.training.pack_ready import pack
from naturalinversion.classifiers.ready import describe, load_ready
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from reports.records import Cost, Provenance, Record, write


def test_weights_are_rounded_tested_and_described(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path, image_size=16)
    description = Classifier("vgg11", 10, 0.125, 16, digits.mean, digits.std)
    model = description.build(0)
    cell = tmp_path / "cell"
    cell.mkdir()
    save_classifier(cell / WEIGHTS, model, description)
    where = Provenance("abc", {}, "cpu", "fp32", 1, "Linux", "now", "AMD EPYC")
    recipe = {"arch": "vgg11", "dataset": "digits", "width": 0.125, "training": {"epochs": 1}}
    record = Record(
        kind="classifier",
        label="x",
        key="0" * 12,
        recipe=recipe,
        inputs={},
        metrics={"test_accuracy": 0.1},
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=where,
        artefacts={},
    )
    write(cell, record)
    packed = pack(cell, "digits-vgg11", tmp_path, tmp_path / "ready")
    assert describe("digits-vgg11", tmp_path / "ready") == packed
    assert packed.classes == tuple(digits.classes)
    assert 0 <= packed.test_accuracy <= 1
    loaded, found = load_ready("digits-vgg11", tmp_path / "ready")
    assert found == description
    for name, tensor in model.float().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)
