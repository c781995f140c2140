"""Sixty batches of the demo's step: memory and files stay as they are, hooks go."""

import ctypes
import gc
import os
import sys
from pathlib import Path

from baselines import METHODS
from naturalinversion import Batch, synthesize
from tests.naturalinversion.small_methods import network, teacher

BATCHES, SETTLED, LAST = 60, slice(20, 35), slice(45, None)
# What may stay between the two: bytes (a tenth of each batch's images), objects, maps, files.
MOST = (LAST.start - SETTLED.start) * 6_000, 2_500, 10, 0


class Heap(ctypes.Structure):
    """What glibc's mallinfo2 returns."""

    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


def test_sixty_batches_pile_nothing_up(tmp_path: Path) -> None:
    """One iteration a batch: what a batch sets up and leaves behind is what could pile up.

    Bytes in use in the heap, Python's objects and mapped files are counted, since the pages of the
    process say less. The images of a batch are 60,000 bytes, its networks some thousand objects;
    torch's own caches grow by a tensor now and then, not with the batches.
    """
    heap = ctypes.CDLL(None).mallinfo2
    heap.restype = Heap
    measured: list[tuple[int, int, int, int]] = []

    def measure(index: int, batch: Batch) -> None:
        used = heap()
        mapped = len(Path("/proc/self/maps").read_text().splitlines())
        files = len(os.listdir("/proc/self/fd"))
        measured.append((used.uordblks + used.hblkhd, sys.getallocatedblocks(), mapped, files))

    method = METHODS["ni_adi"](iterations=1, latent=16, generator_width=0.125)
    inverted, student = teacher(), network("vgg5", 1)
    gc.collect()
    numbers = {"batches": BATCHES, "batch_size": 10}
    synthesize(method, inverted, tmp_path, student=student, on_batch=measure, **numbers)
    assert len(measured) == BATCHES
    for used, most in zip(zip(*measured, strict=True), MOST, strict=True):
        settled, end = min(used[SETTLED]), min(used[LAST])  # a batch's own need comes and goes
        assert end <= settled + most
    modules = [*inverted.model.modules(), *student.modules()]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    assert not any("forward" in m.__dict__ for m in modules), "forwards that were exchanged"
