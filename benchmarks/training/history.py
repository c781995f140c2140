"""What a training run leaves behind beside the weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """Losses and accuracies of one run, an interrupted and resumed one included."""

    losses: tuple[float, ...]  # mean over the updates of each epoch
    accuracies: tuple[tuple[int, float], ...]  # (epochs done, accuracy 0..1), where evaluated
    images: int  # training images seen, each pass counted

    @property
    def last_accuracy(self) -> float | None:
        """After the last epoch: the number to report. None when nothing was evaluated."""
        return self.accuracies[-1][1] if self.accuracies else None

    @property
    def best_accuracy(self) -> float | None:
        """The highest one: a selection on the test set, never the number to report."""
        return max((value for _, value in self.accuracies), default=None)
