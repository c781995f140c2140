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
NOT_NORMALISED = (
    "mean is 0 and std is 1: methods start from, and weigh their losses for, normalised images; "
    "make it a teacher as model(images * std + mean), with the mean and std of its training pixels"
)
WRITTEN = (
    "the classifier writes its buffer '{}' in eval mode: if its output depends on it, images "
    "depend on the passes before theirs"
)

GROWN = (
    "the classifier's attribute '{}' grows with every pass, and memory with it: empty it where "
    "forward begins"
)


def remarks(
    model: nn.Module,
    norms: Collection[nn.Module],
    written: Iterable[str],
    grown: Iterable[str],
    mean: Iterable[float],
    std: Iterable[float],
) -> list[str]:
    """One line each. ``norms`` are its batch norms, ``written`` the buffers that a pass changes.

    ``grown`` are attributes that hold more after each, ``mean`` and ``std`` those of its images,
    per channel.
    """
    plain = not any(mean) and all(value == 1 for value in std)
    return [
        *([UNTRAINED] if are_initial(norms) else []),
        *([NOT_NORMALISED] if plain else []),
        *filter(None, [not_called(model, norms)]),
        *(HOOKED.format(owner) for owner in foreign_hooks(model)[:1]),
        *(WRITTEN.format(name) for name in list(written)[:1]),
        *(GROWN.format(name) for name in list(grown)[:1]),
    ]
