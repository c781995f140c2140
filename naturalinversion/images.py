"""The store of synthetic images: safetensors shards, one per batch, and a meta.json beside them.

The store holds float16 in teacher space. Metrics and other programs read pixels, and the mapping to
them is part of a method's result: ``denormalize`` undoes the teacher's normalisation and clamps,
``minmax`` stretches every image to 0..255, as the official NaturalInversion code does on saving.
"""

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor
from torch.utils.data import Dataset

from naturalinversion.errors import StoreError
from naturalinversion.files import write_atomically

PixelMapping = Literal["denormalize", "minmax"]
META = "meta.json"
IMAGES = "images"  # subfolder of the store, where a run has other files as well


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which method made the shards, from which teacher, with which settings and seed.

    ``source``, ``student``, ``precision`` and ``stages`` are None where an earlier version wrote
    the store. ``agreed`` is the number of images, per batch, that the teacher gives the label they
    are stored with.
    """

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
    source: str | None = None  # sha256 of a method from outside
    student: str | None = None  # sha256 of the weights of the student that takes part
    precision: str | None = None
    stages: tuple[str, ...] | None = None  # of the teacher
    agreed: tuple[int, ...] = ()


class SyntheticDataset(Dataset[tuple[Any, int]]):
    """Images and labels of a folder written by `synthesize`, a `torch.utils.data.Dataset`.

    ``dataset[i]`` is a float32 image (C, H, W) in teacher space and its label; `as_pixels` gives
    uint8 instead. ``transform`` is applied to the image. Items are read from memory-mapped files,
    which the workers of a `DataLoader` share. ``batches`` limits it to the first batches; the order
    is that of the batch numbers. Raises `StoreError` for a folder without images or with fewer
    batches.
    """

    def __init__(
        self,
        folder: Path | str,
        batches: int | None = None,
        transform: Callable[[Tensor], Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.meta = read_meta(self.folder)
        self.batches = self.meta.batches if batches is None else batches
        if not 0 < self.batches <= self.meta.batches:
            raise StoreError(f"{folder} holds {self.meta.batches} batches, not {batches}")
        self.transform = transform
        self.mapping: PixelMapping | None = None
        self._mapped: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return self.batches * self.meta.batch_size

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """Image ``index`` and its label; negative numbers count from the end."""
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        number, row = divmod(place, self.meta.batch_size)
        if number not in self._mapped:
            self._mapped[number] = map_shard(self.folder, self.meta.first + number, self.meta)
        images, labels = self._mapped[number]
        image = images[row].float()
        if self.mapping is not None:
            image = to_pixels(image[None], self.mapping, self.meta.mean, self.meta.std)[0]
        if self.transform is not None:
            return self.transform(image), int(labels[row])
        return image, int(labels[row])

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Without the mapped files: a worker of a `DataLoader` maps them itself."""
        return self.__dict__ | {"_mapped": {}}

    def as_pixels(
        self, mapping: PixelMapping, transform: Callable[[Tensor], Any] | None = None
    ) -> "SyntheticDataset":
        """The same images as uint8 (C, H, W) by ``mapping``, see `to_pixels`."""
        to_pixels(torch.zeros(1, 1, 1, 1), mapping, (0.0,), (1.0,))  # a wrong name is told now
        dataset = SyntheticDataset(self.folder, self.batches, transform)
        dataset.mapping = mapping
        return dataset

    @property
    def teacher_agreement(self) -> float | None:
        """For which share of the images the teacher gives the label they are stored with.

        None in a folder that `synthesize` did not finish, or an earlier version wrote.
        """
        if len(self.meta.agreed) < self.batches:
            return None
        return sum(self.meta.agreed[: self.batches]) / len(self)

    def shards(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One batch after the other: float16 images (B, C, H, W), int64 labels (B,)."""
        for index in range(self.meta.first, self.meta.first + self.batches):
            yield read_shard(self.folder, index, self.meta)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """All images, float16 in teacher space (N, C, H, W), and labels (N,)."""
        return joined([self])

    def pixels(self, mapping: PixelMapping) -> Tensor:
        """All images as uint8 (N, C, H, W)."""
        return joined([self], mapping)[0]

    def export(self, folder: Path | str, mapping: PixelMapping, *, overwrite: bool = False) -> int:
        """Write an ImageFolder tree, ``folder/<class>/<number>.png``; returns their number.

        ``overwrite`` replaces an earlier export. Raises `StoreError` where there is one, or
        anything else, and `SettingError` for images that PNG has no form for.
        """
        from naturalinversion.export import export_tree

        return export_tree(self, Path(folder), mapping, overwrite=overwrite)

    def grid(self, path: Path | str, classes: Sequence[str] = ()) -> None:
        """Write a PNG of up to six images of each of ten classes, a column for each.

        Columns are headed by the names ``classes``, or by numbers. Pixels are denormalised and
        clamped, and enlarged to be looked at.
        """
        from naturalinversion.sample_grid import save_picture

        save_picture(Path(path), self, classes)


def joined(
    datasets: Sequence[SyntheticDataset], mapping: PixelMapping | None = None, count: int = 0
) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) and labels (N,) of all ``datasets``, read shard by shard.

    Images are float16 in teacher space, or uint8 with a ``mapping`` to pixels. ``count`` limits
    them to the first, 0 takes all. No image is held in memory twice.
    """
    held = sum(map(len, datasets))
    count = count or held
    if count > held:
        raise StoreError(f"{datasets[0].folder}: {count} images are asked for, there are {held}")
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
    """Images (N, C, H, W) in teacher space to uint8.

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
    """The file of batch ``index``."""
    return folder / f"batch-{index:05d}.safetensors"


def write_shard(folder: Path, index: int, images: Tensor, labels: Tensor, attempt: int = 0) -> None:
    """Write one batch atomically, with the digest of its content in the header.

    ``attempt`` is the number of seeds of this batch that diverged before.
    """
    tensors = {
        "images": images.detach().to("cpu", torch.float16).contiguous(),
        "labels": labels.detach().to("cpu", torch.int64).contiguous(),
    }
    metadata = {"sha256": _digest(tensors)} | ({"attempt": str(attempt)} if attempt else {})
    content = save(tensors, metadata=metadata)
    write_atomically(shard_path(folder, index), content)


def read_shard(folder: Path, index: int, meta: Meta | None = None) -> tuple[Tensor, Tensor]:
    """One batch, as ``meta`` describes it. Raises `StoreError` when it is missing or damaged."""
    path = shard_path(folder, index)
    try:
        content = path.read_bytes()
        tensors = load(content)
        header = msgspec.json.decode(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return _intact(path, tensors, header["__metadata__"]["sha256"], meta)
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing") from error
    except Exception as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def map_shard(folder: Path, index: int, meta: Meta) -> tuple[Tensor, Tensor]:
    """As `read_shard`, but the tensors are the file itself, mapped into memory."""
    path = shard_path(folder, index)
    try:
        with safe_open(path, framework="pt") as shard:
            tensors = {name: shard.get_tensor(name) for name in shard.keys()}  # noqa: SIM118
            return _intact(path, tensors, (shard.metadata() or {}).get("sha256", ""), meta)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing") from error
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def _intact(
    path: Path, tensors: dict[str, Tensor], sha256: str, meta: Meta | None
) -> tuple[Tensor, Tensor]:
    if sha256 != _digest(tensors):
        raise StoreError(f"{path} is damaged: its content does not match its digest")
    images, labels = tensors["images"], tensors["labels"]
    if meta is not None:
        found, wanted = tuple(images.shape), (meta.batch_size, *meta.image_shape)
        if found != wanted or tuple(labels.shape) != wanted[:1]:
            raise StoreError(f"{path} is another set's: images {found}, not {wanted}")
        if int(labels.min()) < 0 or int(labels.max()) >= meta.num_classes:
            raise StoreError(f"{path} is damaged: labels beyond {meta.num_classes} classes")
    return images, labels


def retried(folder: Path, indices: Iterable[int]) -> list[int]:
    """Those of the batches ``indices`` that took more than one seed. Raises `StoreError`."""
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


def shard_is_whole(folder: Path, index: int, meta: Meta | None = None) -> bool:
    """Whether batch ``index`` exists, is undamaged and is as ``meta`` describes it."""
    try:
        read_shard(folder, index, meta)
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
    """``meta`` as `read_meta` returns it: JSON has lists, not tuples."""
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
