"""Digests of networks, including state that is no tensor (`nn.Module.get_extra_state`)."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Digest(Protocol):
    """Such as `hashlib.sha256` returns."""

    def update(self, data: bytes, /) -> None:
        """Append ``data``."""


def digest_network(digest: Digest, network: nn.Module) -> None:
    """Append the names, types and contents of all parameters, buffers and extra states."""
    for name, value in sorted(network.state_dict().items()):
        kind = value.dtype if isinstance(value, Tensor) else type(value).__qualname__
        digest.update(f"{name} {kind}".encode())
        _digest_value(digest, value)


def _digest_value(digest: Digest, value: Any) -> None:
    """Append a tensor's bytes, a container's items, a plain value's text, else the type's name."""
    if isinstance(value, Tensor):
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(content.numpy().tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            digest.update(repr(key).encode())
            _digest_value(digest, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            digest.update(b",")
            _digest_value(digest, item)
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        digest.update(repr(value).encode())
    else:
        digest.update(type(value).__qualname__.encode())
