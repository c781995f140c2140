"""In which number format a device computes when it is asked for one."""

import pytest
import torch

from naturalinversion.precision import effective_precision, is_emulated


def test_tf32_is_a_gpus() -> None:
    assert effective_precision("cpu", "tf32") == "fp32"
    assert effective_precision("cuda:1", "tf32") == "tf32"
    assert effective_precision("cpu", "bf16") == "bf16"


@pytest.mark.parametrize("has_instructions", [True, False])
def test_bf16_of_a_cpu_is_emulated_without_instructions_for_it(
    has_instructions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_instructions, raising=False
    )
    assert is_emulated("cpu", "bf16") is not has_instructions
    assert not is_emulated("cpu", "fp32")
    assert not is_emulated("cuda", "bf16")


def test_where_pytorch_can_not_tell_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not is_emulated("cpu", "bf16")
