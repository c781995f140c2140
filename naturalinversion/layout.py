"""Which memory layout a network that is trained or competed with is given."""

import torch
from torch import Tensor, nn

IMAGES = 2


def to_fast_layout(model: nn.Module, image_shape: tuple[int, ...], *, weights: bool = True) -> None:
    """Make ``model`` take images (N, C, H, W) in channels_last; with ``weights`` hold them so too.

    Convolutions are faster then. A network that fails, as one does with a ``view`` of maps in
    place of a ``flatten``, keeps the usual layout and makes what it is given contiguous.
    """
    last = torch.channels_last
    if weights:
        model.to(memory_format=last)
    if not _runs_in(model, image_shape, last) and _runs_in(
        model.to(memory_format=torch.contiguous_format),
        image_shape,
        torch.contiguous_format,
    ):
        model.register_forward_pre_hook(_contiguous)


def _runs_in(model: nn.Module, image_shape: tuple[int, ...], layout: torch.memory_format) -> bool:
    first = next(model.parameters(), None)
    if first is None:
        return True
    images = torch.zeros(IMAGES, *image_shape, device=first.device, dtype=first.dtype)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            model(images.contiguous(memory_format=layout))
    except RuntimeError:
        return False
    finally:
        for module, mode in modes:
            module.training = mode
    return True


def _contiguous(model: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *others = given
    return (images.contiguous(), *others)
