"""Which weights of a student a joint method trains: those that are trainable when it is given."""

from torch import nn

from naturalinversion.errors import SettingError


def trained_weights(student: nn.Module) -> list[nn.Parameter]:
    """The parameters of ``student`` with ``requires_grad``.

    Raises `SettingError` where all are frozen.
    """
    found = [weight for weight in student.parameters() if weight.requires_grad]
    if not found:
        raise SettingError(
            "all weights of the student are frozen (requires_grad is False): there is nothing to "
            "train"
        )
    return found
