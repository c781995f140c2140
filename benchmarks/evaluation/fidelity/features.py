"""Features of images; those of real ones are kept, by the images' content, not their name."""

from functools import cached_property
from pathlib import Path

import msgspec
import torch
from filelock import FileLock, Timeout
from safetensors.torch import load, save
from torch import Tensor, nn

from benchmarks.evaluation.fidelity.extractors import Extractor, batch_size
from naturalinversion.digest import tensors_sha256
from naturalinversion.files import write_atomically
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress, silent

Features = dict[str, Tensor]  # layer -> float32 (N, D) on the CPU

SCHEMA = 1  # raised when features are computed otherwise, so that kept ones are not used
SHARD_IMAGES = 2500  # of one file of kept features: a minute or two on a CPU


class FeatureExtractor:
    """An extractor on a device, built when the first images come."""

    def __init__(self, extractor: Extractor, device: torch.device) -> None:
        self.extractor, self.device = extractor, device

    @cached_property
    def _network(self) -> nn.Module:
        return self.extractor.build(self.device)

    def __call__(self, images: Tensor, progress: Progress = silent) -> Features:
        """The features of uint8 images (N, 3, H, W), in float32 whatever the run's precision is."""
        network, names = self._network, self.extractor.layers.all()
        found: Features = {}
        done = 0
        with torch.no_grad(), compute_in(self.device, "fp32"):
            for batch in torch.split(images, batch_size(self.device)):
                for name, values in zip(names, network(batch.to(self.device)), strict=True):
                    if name not in found:  # at once: small pieces between large ones scatter memory
                        found[name] = torch.empty(len(images), *values.shape[1:])
                    found[name][done : done + len(batch)] = values
                done += len(batch)
                progress(len(batch))
        return found


def extract(
    images: Tensor, extractor: Extractor, device: torch.device, progress: Progress = silent
) -> Features:
    """The features of uint8 images (N, 3, H, W)."""
    return FeatureExtractor(extractor, device)(images, progress)


def cached_real_features(
    images: Tensor,
    extractor: Extractor,
    device: torch.device,
    folder: Path,
    progress: Progress = silent,
) -> Features:
    """`extract`, kept in ``folder`` under the extractor's weights and the images' pixels.

    In shards of `SHARD_IMAGES`: what is there stays when a run is stopped, and processes that want
    the same take different ones. A damaged file is made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(images), SHARD_IMAGES)
    shards = {start: images[start : start + SHARD_IMAGES] for start in starts}
    paths = {start: _path(shard, extractor, folder) for start, shard in shards.items()}
    compute = FeatureExtractor(extractor, device)
    found: Features = {}
    for timeout in (0, -1):  # first what no process computes, then what others have begun
        for start, shard in list(shards.items()):
            try:
                with FileLock(paths[start].with_suffix(".lock"), timeout=timeout):
                    values = _read_or_compute(shard, compute, paths[start], progress)
            except Timeout:
                continue
            for name in values:
                if name not in found:
                    found[name] = torch.empty(len(images), *values[name].shape[1:])
                found[name][start : start + len(shard)] = values[name]
            del shards[start]
    return found


def _path(images: Tensor, extractor: Extractor, folder: Path) -> Path:
    content = tensors_sha256({f"images {SCHEMA}": images})
    return folder / f"{extractor.display}-{content}.safetensors"


def _read_or_compute(
    images: Tensor, compute: FeatureExtractor, path: Path, progress: Progress
) -> Features:
    found = _read(path)
    if found is not None and set(found) == set(compute.extractor.layers.all()):
        progress(len(images))
        return found
    made = compute(images, progress)
    write_atomically(path, save(made, metadata={"sha256": tensors_sha256(made)}))
    return made


def _read(path: Path) -> Features | None:
    try:
        file = path.read_bytes()
        found = load(file)
        header = msgspec.json.decode(file[8 : 8 + int.from_bytes(file[:8], "little")])
        intact = header["__metadata__"]["sha256"] == tensors_sha256(found)
    except Exception:  # absent, cut short or overwritten: all the same
        return None
    return found if intact else None
