"""What to know of a classifier that can be inverted, but hardly with the result that is wanted."""

from collections.abc import Collection, Iterable

from torch import nn

from naturalinversion.teacher.attributes import foreign_hooks
from naturalinversion.teacher.batch_norms import are_initial, not_called

UNTRAINED = (
    "the classifier's batch norms hold their initial statistics: it looks untrained, and images of "
    "a random network mean nothing"
)
HOOKED = (
    "a hook of {} is no method of the model: it runs in every pass of the teacher, and what it "
    "keeps stays in memory"
)
WRITTEN = (
    "the classifier writes its buffer '{}' in eval mode: if its output depends on it, images "
    "depend on the passes before theirs"
)


def remarks(model: nn.Module, norms: Collection[nn.Module], written: Iterable[str]) -> list[str]:
    """One line each. ``norms`` are its batch norms, ``written`` the buffers that a pass changes."""
    return [
        *([UNTRAINED] if are_initial(norms) else []),
        *filter(None, [not_called(model, norms)]),
        *(HOOKED.format(owner) for owner in foreign_hooks(model)[:1]),
        *(WRITTEN.format(name) for name in list(written)[:1]),
    ]
