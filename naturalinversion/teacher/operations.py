"""What computed a tensor, by the nodes of autograd's graph."""

import re
from collections.abc import Iterator
from typing import Any

from torch import Tensor

MOVES = (
    "Alias|Clone|Permute|Reshape|Select|Slice|Squeeze|T|ToCopy|Transpose|UnsafeView|Unsqueeze|View"
)
WITH_CONSTANTS = "Add|Clamp|ClampMax|ClampMin|Div|Hardtanh|Mul|Rsub|Sub"
#: Layers with weights.
LAYER = re.compile("(.*Convolution|Addmm|Mm|Bmm|Addbmm|Baddbmm|.*Linear)Backward")
PASS_THROUGH = re.compile(rf"({MOVES}|{WITH_CONSTANTS})Backward\d*")


def last_operations(output: Tensor) -> Iterator[Any]:
    """The node that computed ``output``, then that before it, down to the first that does more
    than move values, or scale, shift and clamp them by constants.
    """
    node: Any = output.grad_fn
    while node is not None:
        yield node
        node = _only_input(node) if PASS_THROUGH.fullmatch(node.name()) else None


def _only_input(node: Any) -> Any:
    """What computed a node's only input that is no constant; None of two."""
    computed = [before for before, _ in node.next_functions if before is not None]
    return computed[0] if len(computed) == 1 else None
