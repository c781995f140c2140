"""Errors a user can mend, each with the exit code that the command line ends with."""


class BenchmarkError(Exception):
    """A cell failed or a number regressed; the message is one line."""

    exit_code = 1


class UsageError(BenchmarkError):
    """A flag, a recipe or a table asks for something that does not exist."""

    exit_code = 2


class MissingError(BenchmarkError):
    """A file the command needs is not there; the message says where it was looked for."""

    exit_code = 3
