"""Digests of tensors and networks that stored files, records and folders of images carry.

What they are computed from must not change: images and results of earlier versions are known by
them. They differ in what they say of a tensor beside its content.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Digest(Protocol):
    """Such as `hashlib.sha256` returns."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Append ``data``."""


def tensor_bytes(tensor: Tensor) -> memoryview:
    """The content of a tensor in row-major order."""
    values: memoryview = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    return values


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """sha256 of tensors by name, type, shape and content."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def weights_digest(module: nn.Module) -> str:
    """sha256 of a network's parameters, buffers and extra states by name: a student's."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + b"\0")
        if isinstance(value, Tensor):
            update_by_tensor(digest, value)
        else:
            _update_by_value(digest, value)
    return digest.hexdigest()


def update_by_network(
    digest: Digest, network: nn.Module, instead: Mapping[str, Tensor] | None = None
) -> None:
    """Append the names, types and contents of all parameters, persistent buffers and extra states.

    ``instead`` has values by name to append in place of the network's.
    """
    for name, value in sorted(network.state_dict().items()):
        value = (instead or {}).get(name, value)
        kind = value.dtype if isinstance(value, Tensor) else type(value).__qualname__
        digest.update(f"{name} {kind}".encode())
        _update_by_value(digest, value)


def update_by_tensor(digest: Digest, tensor: Tensor) -> None:
    """Append a tensor's type, shape and content."""
    digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor_bytes(tensor))


def _update_by_value(digest: Digest, value: Any) -> None:
    """Append a tensor's bytes, a container's items, a plain value's text, else the type's name."""
    if isinstance(value, Tensor):
        digest.update(tensor_bytes(value))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            digest.update(repr(key).encode())
            _update_by_value(digest, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            digest.update(b",")
            _update_by_value(digest, item)
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        digest.update(repr(value).encode())
    else:
        digest.update(type(value).__qualname__.encode())
