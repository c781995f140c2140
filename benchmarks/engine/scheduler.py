"""In which order cells run: everything a cell reads is done, the longest chain first."""

from collections.abc import Sequence

from benchmarks.engine.cell import Cell


class Scheduler:
    """Which cell may run next, and what can't run any more."""

    def __init__(self, cells: Sequence[Cell], todo: Sequence[Cell]) -> None:
        self.waiting = {cell.key: cell for cell in todo}
        self.running: set[str] = set()
        self.busy: dict[str, Cell] = {}
        self.lost: set[str] = set()
        self.blocked: list[str] = []
        self._rank = {cell.key: 0 for cell in cells}
        for cell in reversed(cells):
            for other in cell.inputs.values():
                self._rank[other.key] = max(self._rank[other.key], self._rank[cell.key] + 1)

    def next(self) -> Cell | None:
        """A cell whose inputs are done, or None when there is none now."""
        self._drop_blocked()
        unfinished = self.waiting.keys() | self.running | self.busy.keys()
        ready = [
            cell
            for cell in self.waiting.values()
            if not any(other.key in unfinished for other in cell.inputs.values())
        ]
        if not ready:
            return None
        cell = max(ready, key=lambda c: self._rank[c.key])
        del self.waiting[cell.key]
        self.running.add(cell.key)
        return cell

    def finish(self, cell: Cell) -> None:
        """``cell`` is done."""
        self.running.discard(cell.key)

    def put_back(self, cell: Cell) -> None:
        """Another process is at work on ``cell``: it is not ready until `retry`."""
        self.running.discard(cell.key)
        self.busy[cell.key] = cell

    def retry(self) -> None:
        """What was put back may be done by now, or given up by the other process."""
        self.waiting |= self.busy
        self.busy.clear()

    def fail(self, cell: Cell) -> None:
        """``cell`` failed: what reads it will not run."""
        self.running.discard(cell.key)
        self.lost.add(cell.key)

    def _drop_blocked(self) -> None:
        """Cells that read a failed one; in order, so that one pass finds whole chains."""
        for key, cell in list(self.waiting.items()):
            if any(other.key in self.lost for other in cell.inputs.values()):
                del self.waiting[key]
                self.lost.add(key)
                self.blocked.append(cell.name)
