"""Reproduce and compare methods that make training images out of a classifier alone.

Exit codes: 0 fine; 1 a cell or a check failed; 2 usage or recipe error; 3 a needed file is missing;
75 out of time, 130 interrupted, 141 nobody reads on, 143 terminated (what was finished is kept, the
same command goes on).
"""

import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Protocol, TextIO, get_args

import tyro
from tyro.conf import subcommand

from benchmarks.cli.accept import Accept
from benchmarks.cli.archive import Keep, Results
from benchmarks.cli.check import Check
from benchmarks.cli.claims import Claims
from benchmarks.cli.compare import Compare
from benchmarks.cli.console import (
    close_pipe,
    escape_unknown_letters,
    log,
    stdout_is_the_result,
)
from benchmarks.cli.help_texts import join_lines
from benchmarks.cli.pictures import Pictures
from benchmarks.cli.plan import Plan
from benchmarks.cli.ready import Ready
from benchmarks.cli.report import Report
from benchmarks.cli.run import Run
from benchmarks.cli.status import Status
from benchmarks.cli.synthesize import Synthesize
from benchmarks.engine import packages
from benchmarks.engine.cell_runner import KNOWN_ERRORS
from benchmarks.engine.deadline import TimeIsUpError
from naturalinversion.errors import NaturalInversionWarning, reason_of

SCRIPT = "naturalinversion"  # the console script
HELP_OPTIONS = {"-h", "--help"}

Command = (
    Annotated[Run, subcommand("run")]
    | Annotated[Plan, subcommand("plan")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Synthesize, subcommand("synthesize")]
    | Annotated[Pictures, subcommand("pictures")]
    | Annotated[Ready, subcommand("ready")]
    | Annotated[Claims, subcommand("claims")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Accept, subcommand("accept")]
    | Annotated[Keep, subcommand("keep")]
    | Annotated[Results, subcommand("results")]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, run, and exit with the command's code; a known error is one line on stderr."""
    escape_unknown_letters()
    try:
        sys.exit(_parse_and_execute(arguments))
    except BrokenPipeError:  # stderr's, or that of --help: like other programs, end and say nothing
        close_pipe(sys.stdout)
        close_pipe(sys.stderr)
        sys.exit(141)


def _parse_and_execute(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if HELP_OPTIONS & set(words):  # reading the texts takes half a second
        for one in get_args(Command):
            join_lines(get_args(one)[0])
    command, unknown = tyro.cli(
        Command,
        prog=SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m benchmarks",
        args=arguments,
        description=__doc__,
        config=(tyro.conf.OmitArgPrefixes,),
        return_unknown_args=True,
    )
    if unknown:
        log(f"error: unknown option {unknown[0]} (see --help)")
        return 2
    return execute(command)


MAKERS = (Run, Compare, Check, Accept, Synthesize, Pictures)  # what leaves work that goes on
BATCH: dict[type, str] = {Synthesize: "--batch-size", Pictures: "--images"}  # images a batch
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # as PyTorch says
KEPT = ": what was finished is kept, the same command goes on"


class Executable(Protocol):
    """What a command offers."""

    def run(self) -> int:
        """Do it and return the exit code."""


def execute(command: Executable) -> int:
    """Run a parsed command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    with warnings.catch_warnings(), stdout_is_the_result():
        warnings.showwarning = _show_warning
        return _execute(command)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Ours in one line, the others as Python shows them."""
    if issubclass(category, NaturalInversionWarning):
        log(f"warning: {message}")
    else:
        log(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def _execute(command: Executable) -> int:
    try:
        return command.run()
    except KNOWN_ERRORS as error:
        log(f"error: {error}")
        return int(getattr(error, "exit_code", 1))
    except ModuleNotFoundError as error:
        log(f"error: {packages.not_installed(error)}")
        return packages.EXIT_CODE
    except BrokenPipeError:
        raise
    except OSError as error:
        log(f"error: {error.filename or 'file system'}: {error.strerror or error}")
        return 1
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        option = BATCH.get(type(command))
        remedy = f"take fewer images a batch ({option})" if option else reason_of(error)
        log(f"error: out of memory: {remedy}")
        return 1
    except TimeIsUpError as error:
        log(f"--max-hours are over{KEPT}")
        return error.exit_code
    except _Terminated:
        log(f"terminated{_kept(command)}")
        return 143
    except KeyboardInterrupt:
        log(f"interrupted{_kept(command)}")
        return 130


def _lacks_memory(error: Exception) -> bool:
    words = str(error)
    return isinstance(error, MemoryError) or any(part in words for part in OUT_OF_MEMORY)


def _kept(command: Executable) -> str:
    return KEPT if isinstance(command, MAKERS) else ""


class _Terminated(BaseException):
    """SIGTERM, raised so that locks and bars are let go."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated
