"""What needs more memory than is free is refused, where a system says what is free."""

from pathlib import Path

import pytest
import torch

from naturalinversion.errors import MemoryShortError
from naturalinversion.memory import require_memory


def test_what_pytorch_holds_of_a_gpu_without_using_it_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (10**9, 8 * 10**9))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: 6 * 10**9)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda device: 2 * 10**9)
    require_memory(5 * 10**9, "a bank", torch.device("cuda"))
    with pytest.raises(MemoryShortError, match=r"take 5.10 GB of memory, 5.00 GB are free on cuda"):
        require_memory(51 * 10**8, "a bank", torch.device("cuda"))


def test_a_system_that_does_not_say_its_memory_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as Windows: no /proc, no sysconf."""

    def missing(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    with pytest.raises(MemoryShortError, match="are free on cpu"):
        require_memory(10**18, "a bank", torch.device("cpu"))
    monkeypatch.delattr("os.sysconf")
    require_memory(10**18, "a bank", torch.device("cpu"))
