"""What a training step minimises: a function of the model, the images and their labels."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from naturalinversion.priors import distillation

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def cross_entropy_loss() -> Loss:
    """Cross-entropy with the labels, mean over the batch."""

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(model(images).float(), labels)

    return loss


def distillation_loss(
    teacher: Callable[[Tensor], Tensor],
    temperature: float = 3.0,
    *,
    temperature_squared: bool = True,
) -> Loss:
    """KL(softmax(T / temperature) || softmax(S / temperature)), summed over classes, batch mean.

    ``teacher`` maps images to logits and must be in eval mode; it gets no gradient, and the labels
    are not used. ``temperature_squared`` multiplies by temperature**2 as Hinton et al. (2015) do:
    gradients of softened predictions shrink with its inverse, so that without the factor a
    temperature is a learning rate as well. DeepInversion's supplement and its authors give
    temperature 3, no cross-entropy term and, of the factor, only that the loss is rescaled "into
    normal loss ranges"; later codes of this lineage multiply. NaturalInversion's own recipe is in
    an appendix that was not published.
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} is not above zero")
    if isinstance(teacher, nn.Module) and teacher.training:
        raise ValueError("the teacher is in training mode: call eval() on it first")
    factor = temperature**2 if temperature_squared else 1.0

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            target = teacher(images).float()
        return factor * distillation(model(images).float(), target, temperature)

    return loss
