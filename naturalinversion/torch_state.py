"""PyTorch's ambient state: what a caller may have switched on around a call of the library."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def usual_torch_state() -> Iterator[None]:
    """Autograd on, no inference mode, no autocast, float32 and CPU by default, until the end.

    The caller's state is as before afterwards. `synthesize` and `Teacher` work in it: images are
    optimised, and host draws are the same bytes, wherever they are called from.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))  # slows every operation: not without need
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
