"""Turn a trained classifier's cell into one that comes with the library.

``python -m benchmarks.training.pack_ready CELL NAME [--data-root DIR]`` rounds the weights to
float16, tests them as they are stored, and writes them with their description.
"""

import hashlib
import sys
from pathlib import Path

import msgspec
import torch
import tyro
from tyro.conf import Positional

from benchmarks.datasets.load import load
from benchmarks.engine.cell_runner import KNOWN_ERRORS
from benchmarks.engine.context import default_root
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.classifiers.ready import FOLDER, ReadyClassifier
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier, save_classifier
from naturalinversion.errors import UsageError
from naturalinversion.files import write_atomically
from reports.records import FILE_NAME, read

LARGEST = 3_000_000  # bytes: the package stays small


def pack(cell: Path, name: str, data_root: Path, out: Path = FOLDER) -> ReadyClassifier:
    """Write ``out/NAME.safetensors`` and ``out/NAME.json`` from the folder of a finished cell.

    Before that, raises what `KNOWN_ERRORS` holds for a missing record, file or data set, and for a
    classifier that is too large.
    """
    record = read(cell / FILE_NAME)
    model, classifier = load_classifier(cell / WEIGHTS)
    weights = out / f"{name}.safetensors"
    if (size := sum(tensor.nbytes for tensor in model.half().state_dict().values())) > LARGEST:
        raise UsageError(f"{cell / WEIGHTS}: {size:,} bytes in float16, more than {LARGEST:,}")
    name_of_data = str(record.recipe["dataset"])
    dataset = load(name_of_data, root=data_root, image_size=classifier.image_size)
    out.mkdir(parents=True, exist_ok=True)
    save_classifier(weights, model, classifier)
    stored, _ = load_classifier(weights)
    mean, std = torch.tensor(dataset.mean), torch.tensor(dataset.std)
    test = DeviceDataset(dataset.test.images, dataset.test.labels, mean, std)
    description = ReadyClassifier(
        name=name,
        dataset=name_of_data,
        classes=tuple(dataset.classes),
        test_accuracy=accuracy(stored.eval(), test),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        recipe=record.recipe,
        provenance=msgspec.to_builtins(record.provenance),
    )
    content = msgspec.json.format(msgspec.json.encode(description), indent=2)
    write_atomically(out / f"{name}.json", content + b"\n")
    return description


def main(cell: Positional[Path], name: Positional[str], data_root: Path | None = None) -> int:
    """Pack the classifier of a finished cell."""
    try:
        packed = pack(cell, name, data_root or default_root())
    except (*KNOWN_ERRORS, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return int(getattr(error, "exit_code", 1))
    print(f"{packed.name}: {packed.test_accuracy:.2%} on {packed.dataset}'s test images")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
