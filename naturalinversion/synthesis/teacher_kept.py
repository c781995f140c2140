"""Whether a method left the teacher as it was, whose batches would else be of another network."""

from collections.abc import Iterator
from zlib import crc32

from torch import Tensor

from naturalinversion.digest import tensor_bytes
from naturalinversion.errors import MethodError
from naturalinversion.teacher.teacher import Teacher

ANEW = "make the teacher anew"  # its statistics may be others by now


class TeacherKept:
    """The modes of a teacher's modules and the content of its weights and buffers, to be held.

    Buffers that its own passes write don't count.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._modes = dict(self._named_modes())
        self._versions = {name: _version(weight) for name, weight in self._weights()}
        self._sums = {name: _sum(tensor) for name, tensor in self._tensors()}

    def check(self, where: str) -> None:
        """Raises `MethodError` naming what has changed. ``where`` names method and batch.

        Weights are read only where they were written or replaced, which writes through ``.data``
        don't show. Buffers are always read: training norms leaves no other trace in them.
        """
        for name, mode in self._named_modes():
            if self._modes.get(name, mode) != mode:
                into = "training" if mode else "eval"
                raise MethodError(f"{where}: the teacher was put in {into} mode{_in(name)}; {ANEW}")
        versions = {name: _version(weight) for name, weight in self._weights()}
        for name, tensor in self._tensors():
            if name in versions and versions[name] == self._versions.get(name):
                continue
            if name in self._sums and self._sums[name] != _sum(tensor):
                raise MethodError(
                    f"{where}: the teacher's '{name}' was changed, which must stay as it is; {ANEW}"
                )
        self._versions = versions

    def _named_modes(self) -> Iterator[tuple[str, bool]]:
        for name, module in self._teacher.model.named_modules():
            yield name, module.training

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._teacher.model.named_parameters()

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._weights()
        for name, buffer in self._teacher.model.named_buffers():
            if name not in self._teacher.written:
                yield name, buffer


def _version(tensor: Tensor) -> tuple[int, int]:
    """Address and version counter, which inference tensors lack."""
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version


def _sum(tensor: Tensor) -> int:
    return crc32(tensor_bytes(tensor))


def _in(name: str) -> str:
    return f", first its '{name}'" if name else ""
