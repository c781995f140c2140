"""Two hundred batches of the demo's step: memory and open files stay as they are, hooks go."""

import subprocess
import sys
from pathlib import Path

# One iteration a batch: what a batch sets up and leaves behind is what could pile up.
# The allocator keeps a freed block of 4 MB, or gives its pages back, as it likes;
# the bytes in use in the heap (glibc's mallinfo2) are exact.
RUN = """
import ctypes
import os
from pathlib import Path
import torch
from baselines import METHODS
from naturalinversion import Teacher, synthesize
from naturalinversion.classifiers import build

torch.set_num_threads(1)
teacher = Teacher(build("resnet34", 10, 0.125), num_classes=10, image_shape=(3, 16, 16))
method = METHODS["ni_adi"](iterations=1, latent=128, generator_width=0.25)
student = build("resnet18", 10, 0.125)

class Heap(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

heap = ctypes.CDLL(None).mallinfo2
heap.restype = Heap

def measure(index, batch):
    used = heap()
    pages = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    print((used.uordblks + used.hblkhd) / 1e6, pages / 1e6, len(os.listdir("/proc/self/fd")))

synthesize(method, teacher, "images", batches=200, batch_size=20, student=student, on_batch=measure)
modules = [*teacher.model.modules(), *student.modules()]
hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)
print(hooks, sum("forward" in m.__dict__ for m in modules))
"""


def test_two_hundred_batches_pile_nothing_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    *measured, last = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert len(measured) == 200
    heap, memory, files = zip(*measured, strict=True)
    for used, most in ((heap, 0.2), (memory, 6)):  # 120 batches of images alone are 7 MB
        settled, end = min(used[30:80]), min(used[150:])  # a batch's own need comes and goes
        assert end < settled + most
    assert max(files[30:]) == files[30]
    assert last == [0, 0], "hooks, or forwards that were exchanged"
