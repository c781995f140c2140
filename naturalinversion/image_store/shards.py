"""The shards of a store of synthetic images: a safetensors file for each batch."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from naturalinversion.digest import tensors_sha256
from naturalinversion.errors import StoreError
from naturalinversion.files import write_atomically
from naturalinversion.image_store.meta import Meta


def shard_path(folder: Path, index: int) -> Path:
    """The file of batch ``index``."""
    return folder / f"batch-{index:05d}.safetensors"


def require_shards(folder: Path, meta: Meta, batches: int) -> None:
    """Raises `StoreError` where a file of the first ``batches`` is missing, with how many exist."""
    numbers = range(meta.first, meta.first + batches)
    missing = [index for index in numbers if not shard_path(folder, index).exists()]
    if missing:
        whole = missing[0] - meta.first
        remedy = f", or read the first {whole}: batches={whole}" if whole else ""
        raise StoreError(
            f"{shard_path(folder, missing[0])} is missing: {folder} holds {batches - len(missing)} "
            f"of {batches} batches; finish the run that made them{remedy}"
        )


def write_shard(folder: Path, index: int, images: Tensor, labels: Tensor, attempt: int = 0) -> None:
    """Write one batch atomically, with the digest of its content in the header.

    ``attempt`` is the number of seeds of this batch that diverged before.
    """
    tensors = {
        "images": images.detach().to("cpu", torch.float16).contiguous(),
        "labels": labels.detach().to("cpu", torch.int64).contiguous(),
    }
    metadata = {"sha256": tensors_sha256(tensors)} | ({"attempt": str(attempt)} if attempt else {})
    content = save(tensors, metadata=metadata)
    write_atomically(shard_path(folder, index), _ordered(content))


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its metadata by name: several come in another order each time."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = msgspec.json.decode(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    return content[:8] + msgspec.json.encode(header).ljust(start - 8) + content[start:]


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
    if sha256 != tensors_sha256(tensors):
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
