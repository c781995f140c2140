"""Every error that the library and the harness raise on purpose, each with one clear line.

``exit_code`` is what a command line ends with: 1 for a run that failed, 2 for a request that can't
be met, 3 for a file that is missing.
"""


class NaturalInversionWarning(UserWarning):
    """A result to look at before it is used; one clear line, as errors have."""


class NaturalInversionError(Exception):
    """Base of all of them."""

    exit_code = 1


class TeacherError(NaturalInversionError):
    """The classifier can't be inverted: no batch norm, wrong weights, wrong image size."""

    exit_code = 2


class TeacherWarning(NaturalInversionWarning):
    """The classifier can be inverted, but hardly with the result that is wanted."""


class SettingError(NaturalInversionError):
    """A hyper-parameter, label or image size that the method can't work with."""

    exit_code = 2


class UsageError(NaturalInversionError):
    """An option, recipe, table or file asks for something that does not exist or does not fit."""

    exit_code = 2


class MissingError(NaturalInversionError):
    """A required file does not exist; the message gives its path."""

    exit_code = 3


class MemoryShortError(NaturalInversionError):
    """What is about to be made needs more memory than is free now."""


class DivergedError(NaturalInversionError):
    """A loss term or an image became NaN or infinite."""


class MethodError(NaturalInversionError):
    """A batch breaks a rule of `Synthesizer`, or a method changed its teacher: it names which."""


class StoreError(NaturalInversionError):
    """A folder of synthetic images is damaged or belongs to another run."""


class BenchmarkError(NaturalInversionError):
    """A cell of a benchmark failed, or its result is not acceptable."""


def reason_of(error: Exception) -> str:
    """What an error of somebody else's code says, on one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
