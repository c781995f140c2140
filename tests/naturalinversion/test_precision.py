"""PyTorch's switches for precision are put back."""

import torch

from naturalinversion.precision import compute_in, effective_precision


def test_precision_is_put_back() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with compute_in(torch.device("cpu"), "tf32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert (matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_tf32_is_a_gpus() -> None:
    assert effective_precision("cpu", "tf32") == "fp32"
    assert effective_precision("cuda:1", "tf32") == "tf32"
    assert effective_precision("cpu", "bf16") == "bf16"
