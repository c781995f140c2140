"""The store of synthetic images: safetensors shards, one per batch, and a meta.json beside them.

The master copy is float16 in teacher space: what the teacher was optimised on. What a metric or
another program reads are pixels, and how they are made is part of a method's result: `denormalize`
undoes the teacher's normalisation and clamps, `minmax` stretches every image to 0..255, as the
official NaturalInversion code does when it saves (methods agree on nothing here).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from naturalinversion.errors import StoreError
from naturalinversion.files import write_atomically

PixelMapping = Literal["denormalize", "minmax"]
META = "meta.json"
IMAGES = "images"  # the store, in the folder of a run that leaves other files beside it


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the shards are: whose, from which teacher, made how."""

    method: str
    teacher: str  # fingerprint
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    batch_size: int
    batches: int
    settings: dict[str, Any] = {}
    first: int = 0  # number of the first batch: a large set may lie in several folders


class SyntheticDataset:
    """Images (N, 3, H, W) and labels (N,) of a folder written by `synthesize`.

    ``batches`` limits it to the first batches; the order is that of the batch numbers.
    """

    def __init__(self, folder: Path | str, batches: int | None = None) -> None:
        self.folder = Path(folder)
        self.meta = read_meta(self.folder)
        self.batches = self.meta.batches if batches is None else batches
        if not 0 < self.batches <= self.meta.batches:
            raise StoreError(f"{folder} holds {self.meta.batches} batches, {batches} asked for")

    def __len__(self) -> int:
        return self.batches * self.meta.batch_size

    def shards(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One batch after the other: float16 images (B, 3, H, W), int64 labels (B,)."""
        for index in range(self.meta.first, self.meta.first + self.batches):
            yield read_shard(self.folder, index)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """All images, float16 in teacher space (N, 3, H, W), and labels (N,)."""
        return joined([self])

    def pixels(self, mapping: PixelMapping) -> Tensor:
        """All images as uint8 (N, 3, H, W)."""
        return joined([self], mapping)[0]

    def export(self, folder: Path | str, mapping: PixelMapping) -> int:
        """Write an ImageFolder tree, ``folder/<class>/<number>.png``; returns how many images."""
        from PIL import Image

        digits = len(str(self.meta.num_classes - 1))
        for label in range(self.meta.num_classes):  # an empty class keeps its number
            (Path(folder) / f"{label:0{digits}d}").mkdir(parents=True, exist_ok=True)
        number = 0
        for batch, labels in self.shards():
            pixels = to_pixels(batch, mapping, self.meta.mean, self.meta.std)
            for image, label in zip(pixels, labels.tolist(), strict=True):
                path = Path(folder) / f"{label:0{digits}d}" / f"{number:06d}.png"
                Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
                number += 1
        return number


def joined(
    datasets: Sequence[SyntheticDataset], mapping: PixelMapping | None = None, count: int = 0
) -> tuple[Tensor, Tensor]:
    """The images of all of them (N, 3, H, W) and labels (N,), read shard by shard.

    Images are float16 in teacher space, or uint8 with a ``mapping`` to pixels. ``count`` takes the
    first so many, 0 all. No image is held twice.
    """
    count = count or sum(map(len, datasets))
    dtype = torch.uint8 if mapping else torch.float16
    images = torch.empty(count, *datasets[0].meta.image_shape, dtype=dtype)
    labels = torch.empty(count, dtype=torch.int64)
    done = 0
    for dataset in datasets:
        meta = dataset.meta
        for batch, targets in dataset.shards():
            if done == count:
                break
            if mapping:
                batch = to_pixels(batch, mapping, meta.mean, meta.std)
            part = slice(done, min(done + len(batch), count))
            images[part] = batch[: part.stop - done]
            labels[part] = targets[: part.stop - done]
            done = part.stop
    return images, labels


def to_pixels(
    images: Tensor, mapping: PixelMapping, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """Images (N, 3, H, W) in teacher space to uint8.

    ``denormalize``: times std plus mean, clamped to [0, 1], rounded. ``minmax``: every image's own
    minimum to 0 and maximum to 255, over all channels; a constant image becomes 0.
    """
    images = images.float()
    if mapping == "denormalize":
        shape = (1, -1, 1, 1)
        images = images * images.new_tensor(std).view(shape) + images.new_tensor(mean).view(shape)
    elif mapping == "minmax":
        low, high = (f(images, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
        images = (images - low) / (high - low).clamp_min(1e-12)
    else:
        raise ValueError(f"unknown pixel mapping '{mapping}': denormalize or minmax")
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def shard_path(folder: Path, index: int) -> Path:
    """Where batch ``index`` lies."""
    return folder / f"batch-{index:05d}.safetensors"


def write_shard(folder: Path, index: int, images: Tensor, labels: Tensor, attempt: int = 0) -> None:
    """Write one batch atomically, with the digest of its content in the header.

    ``attempt`` is how many seeds of the batch diverged before this one.
    """
    tensors = {
        "images": images.detach().to("cpu", torch.float16).contiguous(),
        "labels": labels.detach().to("cpu", torch.int64).contiguous(),
    }
    about = {"sha256": _digest(tensors)} | ({"attempt": str(attempt)} if attempt else {})
    content = save(tensors, metadata=about)
    write_atomically(shard_path(folder, index), content)


def read_shard(folder: Path, index: int) -> tuple[Tensor, Tensor]:
    """One batch. Raises `StoreError` when it is missing or damaged."""
    path = shard_path(folder, index)
    try:
        content = path.read_bytes()
        tensors = load(content)
        header = msgspec.json.decode(content[8 : 8 + int.from_bytes(content[:8], "little")])
        intact = header["__metadata__"]["sha256"] == _digest(tensors)
        images, labels = tensors["images"], tensors["labels"]
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing") from error
    except Exception as error:
        raise StoreError(f"{path} is damaged: {error}") from error
    if not intact:
        raise StoreError(f"{path} is damaged: its content does not match its digest")
    return images, labels


def retried(folder: Path, indices: Iterable[int]) -> list[int]:
    """The batches among these that diverged at first. Raises `StoreError` as `read_shard` does."""
    found = []
    for index in indices:
        path = shard_path(folder, index)
        try:
            with safe_open(path, framework="pt") as shard:
                if "attempt" in (shard.metadata() or {}):
                    found.append(index)
        except (OSError, SafetensorError) as error:
            raise StoreError(f"{path} can't be read: {error}") from error
    return found


def shard_is_whole(folder: Path, index: int) -> bool:
    """Whether batch ``index`` is there and undamaged."""
    try:
        read_shard(folder, index)
    except StoreError:
        return False
    return True


def read_meta(folder: Path) -> Meta:
    """The folder's meta.json. Raises `StoreError` when there is none or it can't be read."""
    path = Path(folder) / META
    try:
        return msgspec.json.decode(path.read_bytes(), type=Meta)
    except FileNotFoundError as error:
        raise StoreError(f"{folder} holds no synthetic images: no {META}") from error
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def as_stored(meta: Meta) -> Meta:
    """``meta`` as `read_meta` would give it back: JSON knows lists, not tuples."""
    return msgspec.json.decode(msgspec.json.encode(meta), type=Meta)


def write_meta(folder: Path, meta: Meta) -> None:
    """Write meta.json atomically."""
    write_atomically(Path(folder) / META, msgspec.json.format(msgspec.json.encode(meta)))


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
