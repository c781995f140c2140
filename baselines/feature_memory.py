"""The features of earlier images that CMI tells its images from."""

import torch
from torch import Tensor

from naturalinversion.seeds import to_device


class FeatureMemory:
    """The features (2, F) of local and whole view of the last ``capacity`` images, as float16.

    There is room for ``capacity`` images, or for ``batches`` of the size of the first one where
    these are fewer, from then on.
    """

    def __init__(self, capacity: int, features: int, device: torch.device, batches: int) -> None:
        self.capacity, self.batches = capacity, batches
        self._content = torch.empty(0, 2, features, dtype=torch.float16, device=device)
        self._count = 0
        self.next = 0  # where the oldest row is overwritten, once all places are taken

    @property
    def rows(self) -> Tensor:
        """What is remembered (N, 2, F), a part of a larger tensor."""
        return self._content[: self._count]

    def add(self, rows: Tensor) -> None:
        """Remember ``rows`` (N, 2, F), in place of the oldest where there is no room."""
        self._make_room(min(self.capacity, max(self.batches * len(rows), self._count + len(rows))))
        for some in torch.split(rows.to(torch.float16), self.capacity):
            count = min(len(some), self.capacity - self._count)
            self._content[self._count : self._count + count] = some[:count]
            self._count += count
            left = some[count:]
            places = (self.next + torch.arange(len(left))) % self.capacity
            self._content[to_device(places, self._content.device)] = left
            self.next = (self.next + len(left)) % self.capacity

    def sample(self, count: int, draws: torch.Generator) -> Tensor:
        """So many different rows (N, 2, F), or all if there are fewer."""
        picked = torch.randperm(self._count, generator=draws)[:count]
        return self._content[to_device(picked, self._content.device)]

    def state_dict(self) -> dict[str, Tensor]:
        """The rows, not copied, and where the next one goes."""
        return {"rows": self.rows, "next": torch.tensor(self.next)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Remember the rows of a `state_dict`."""
        self._make_room(len(state["rows"]))
        self._count, self.next = len(state["rows"]), int(state["next"])
        self.rows.copy_(state["rows"])

    def _make_room(self, size: int) -> None:
        if size > len(self._content):
            content = self._content.new_empty(size, *self._content.shape[1:])
            content[: self._count] = self.rows
            self._content = content
