"""Which memory layout a network that is trained or competed with is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from naturalinversion.module_modes import modes_kept

IMAGES = 2


def to_fast_layout(model: nn.Module, image_shape: tuple[int, ...], *, weights: bool = True) -> None:
    """Make ``model`` take images (N, C, H, W) in channels_last; with ``weights`` hold them so too.

    Convolutions are faster then. A network that fails, as one does with a ``view`` of maps in
    place of a ``flatten`` or with a weight of five dimensions, keeps the usual layout and makes
    what it is given contiguous.
    """
    last, usual = torch.channels_last, torch.contiguous_format
    if (not weights or _lies_in(model, last)) and _runs_in(model, image_shape, last):
        return
    if _runs_in(model.to(memory_format=usual), image_shape, usual):
        model.register_forward_pre_hook(_contiguous)


@contextmanager
def layout_kept(model: nn.Module) -> Iterator[None]:
    """Weights lie in memory after the block as they did before, whatever `to_fast_layout` did.

    Values stay what the block made of them.
    """
    hooks = set(model._forward_pre_hooks)
    strides = [(tensor, tensor.stride()) for tensor in _strided(model)]
    try:
        yield
    finally:
        for key, hook in list(model._forward_pre_hooks.items()):
            if hook is _contiguous and key not in hooks:
                del model._forward_pre_hooks[key]
        for tensor, stride in strides:
            if tensor.stride() != stride and tensor.ndim == len(stride):
                place = torch.empty_strided(
                    tensor.shape, stride, dtype=tensor.dtype, device=tensor.device
                )
                tensor.data = place.copy_(tensor.detach())


def _strided(model: nn.Module) -> list[Tensor]:
    tensors = chain(model.parameters(), model.buffers())
    return [tensor for tensor in tensors if tensor.layout == torch.strided]


def _lies_in(model: nn.Module, layout: torch.memory_format) -> bool:
    """Put its weights into ``layout``; whether all of them can be."""
    try:
        model.to(memory_format=layout)
    except RuntimeError:
        return False
    return True


def _runs_in(model: nn.Module, image_shape: tuple[int, ...], layout: torch.memory_format) -> bool:
    first = next(model.parameters(), None)
    if first is None:
        return True
    images = torch.zeros(IMAGES, *image_shape, device=first.device, dtype=first.dtype)
    with modes_kept(model), torch.no_grad():
        model.eval()
        try:
            model(images.contiguous(memory_format=layout))
        except Exception:  # whatever somebody's network raises
            return False
    return True


def _contiguous(model: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *others = given
    return (images.contiguous(), *others)
