"""What can go wrong in the library, each as one clear line.

``exit_code`` is what a command line ends with when it lets the error through: 1 for a run that
failed on the way, 2 for a request that can't be met, 3 for a file that is missing.
"""


class NaturalInversionError(Exception):
    """Base of every error the library raises on purpose."""

    exit_code = 1


class TeacherError(NaturalInversionError):
    """The classifier can't be inverted: no batch norm, wrong weights, wrong image size."""

    exit_code = 2


class SettingError(NaturalInversionError):
    """A hyper-parameter, label or image size that the method can't work with."""

    exit_code = 2


class DivergedError(NaturalInversionError):
    """A loss term became NaN or infinite."""


class StoreError(NaturalInversionError):
    """A folder of synthetic images is damaged or belongs to another run."""


class BenchmarkError(Exception):
    """A cell failed or a number regressed; the message is one line."""

    exit_code = 1


class UsageError(BenchmarkError):
    """A flag, a recipe or a table asks for something that does not exist."""

    exit_code = 2


class MissingError(BenchmarkError):
    """A file the command needs is not there; the message says where it was looked for."""

    exit_code = 3
