"""A pass of the kind that inverts a classifier, tried before any work: is it the plain one.

Layers are replaced and hooked in it, which somebody's network may not bear, or bear as another
network. Everything that goes wrong is one `TeacherError`.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError

from naturalinversion.errors import TeacherError, reason_of
from naturalinversion.seeds import seeded
from naturalinversion.teacher.logit_checks import agree
from naturalinversion.teacher.observation import Observation


def check_observed(
    plain: Callable[[Tensor], Tensor], observe: Callable[[Tensor], Observation], images: Tensor
) -> None:
    """Compare the logits of ``images`` (N, C, H, W) in both passes, and differentiate the second.

    Raises `TeacherError` where that fails, as it does with gradient checkpointing, whose second
    pass finds other layers than the first.
    """
    leaf = images.clone().requires_grad_()
    with seeded(0), torch.no_grad():
        expected = plain(images)
    try:
        with seeded(0):
            observed = observe(leaf)
            total = observed.bn_statistics() + observed.logits.float().sum()
            for maps in observed.maps:
                total = total + maps.float().sum()
            torch.autograd.grad(total, leaf)
    except CheckpointError as error:
        raise TeacherError(
            "turn gradient checkpointing off: a frozen teacher does not need it, and the second "
            "pass that it takes is not observed"
        ) from error
    except Exception as error:  # whatever somebody's network raises
        raise TeacherError(f"the classifier can't be observed: {reason_of(error)}") from error
    # To 16 bits, in which the network may compute inside: the wrong network is farther off.
    if not agree(expected.bfloat16(), observed.logits):
        raise TeacherError(
            "the classifier returns other logits where its batch norms and maps are observed, so "
            "another network would be inverted"
        )
