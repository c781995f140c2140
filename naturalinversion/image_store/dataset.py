"""The images of a store: shards, one per batch, and a meta.json beside them."""

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from naturalinversion.errors import StoreError
from naturalinversion.image_store.export import export_tree
from naturalinversion.image_store.meta import read_meta
from naturalinversion.image_store.pixels import PixelMapping, check_mapping, to_pixels
from naturalinversion.image_store.sample_grid import save_picture
from naturalinversion.image_store.shards import map_shard, read_shard, require_shards
from naturalinversion.validation import whole


class SyntheticDataset(Dataset[tuple[Any, int]]):
    """Images and labels of a folder written by `synthesize`, a `torch.utils.data.Dataset`.

    ``dataset[i]`` is a float32 image (C, H, W) in teacher space and its label; `as_pixels` gives
    uint8 instead. ``transform`` is applied to the image. Items are read from memory-mapped files,
    which the workers of a `DataLoader` share. ``batches`` limits it to the first batches; the order
    is that of the batch numbers. Raises `StoreError` for a folder without images or with fewer
    batches, as one has in which `synthesize` was interrupted.
    """

    def __init__(
        self,
        folder: Path | str,
        batches: int | None = None,
        transform: Callable[[Tensor], Any] | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()  # a DataLoader may outlive the working directory
        self.meta = read_meta(self.folder)
        self.batches = (
            self.meta.batches if batches is None else whole("batches", batches, StoreError)
        )
        if not 0 < self.batches <= self.meta.batches:
            raise StoreError(f"{folder} holds {self.meta.batches} batches, not {batches}")
        require_shards(self.folder, self.meta, self.batches)
        self.transform = transform
        self.mapping: PixelMapping | None = None
        self._mapped: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return self.batches * self.meta.batch_size

    def __repr__(self) -> str:
        kind = "float32 in teacher space" if self.mapping is None else f"uint8, {self.mapping}"
        shape = "x".join(map(str, self.meta.image_shape))
        return f"<SyntheticDataset of {len(self)} images {shape} ({kind}) in {self.folder}>"

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
        """The same images as uint8 (C, H, W) by ``mapping``, see `to_pixels` for errors.

        ``transform`` is applied to them. The dataset's own, for float32 images in teacher space, is
        not: give it again if it takes uint8.
        """
        check_mapping(mapping)
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

        ``overwrite`` replaces an earlier export, once the new one is complete. Raises `StoreError`
        where there is one, or anything else, or no place to write to, and `SettingError` for an
        unknown mapping and for images that PNG has no form for.
        """
        with _written(folder):
            return export_tree(self.shards(), self.meta, Path(folder), mapping, overwrite=overwrite)

    def grid(self, path: Path | str, classes: Sequence[str] = ()) -> None:
        """Write a PNG of up to six images of each of ten classes, a column for each.

        Columns are headed by the names ``classes``, or by numbers. Pixels are denormalised and
        clamped, and enlarged to be looked at. Raises `SettingError` for a ``path`` that does not
        end in .png, names of other classes, and images that have no colours to show, `StoreError`
        for one that can't be written.
        """
        with _written(path):
            save_picture(Path(path), self.shards(), self.meta, classes)


@contextmanager
def _written(path: Path | str) -> Iterator[None]:
    """Raises `StoreError` for a place that can't be written to: errors name hidden drafts."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror or error}") from error


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
    shape = (count, *datasets[0].meta.image_shape)
    images = torch.empty(shape, dtype=dtype, device="cpu")  # whatever the caller's default is
    labels = torch.empty(count, dtype=torch.int64, device="cpu")
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
