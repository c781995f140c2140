"""The command line: ``naturalinversion {run,plan,status,report,compare,check,…}``.

Exit codes: 0 fine; 1 a cell failed; 2 usage or recipe error; 3 a needed file is missing; 75 out of
time, 130 interrupted, 143 terminated (what was finished is kept, the same command goes on).
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Protocol

import tyro
from tyro.conf import subcommand

from benchmarks.cli.accept import Accept
from benchmarks.cli.archive import Keep, Results
from benchmarks.cli.check import Check
from benchmarks.cli.claims import Claims
from benchmarks.cli.compare import Compare
from benchmarks.cli.console import log
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

SCRIPT = "naturalinversion"  # the console script

Command = (
    Annotated[Run, subcommand("run")]
    | Annotated[Plan, subcommand("plan")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Claims, subcommand("claims")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Accept, subcommand("accept")]
    | Annotated[Keep, subcommand("keep")]
    | Annotated[Results, subcommand("results")]
    | Annotated[Synthesize, subcommand("synthesize")]
    | Annotated[Ready, subcommand("ready")]
    | Annotated[Pictures, subcommand("pictures")]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, run, and exit with the command's code; a known error is one line on stderr."""
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
        sys.exit(2)
    sys.exit(execute(command))


class Executable(Protocol):
    """What a command offers."""

    def run(self) -> int:
        """Do it and return the exit code."""


def execute(command: Executable) -> int:
    """Run a parsed command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return command.run()
    except KNOWN_ERRORS as error:
        log(f"error: {error}")
        return int(getattr(error, "exit_code", 1))
    except ModuleNotFoundError as error:
        log(f"error: {packages.not_installed(error)}")
        return packages.EXIT_CODE
    except OSError as error:
        log(f"error: {error.filename or 'file system'}: {error.strerror or error}")
        return 1
    except TimeIsUpError as error:
        log("--max-hours are over: what was finished is kept, the same command goes on")
        return error.exit_code
    except _Terminated:
        log("terminated: what was finished is kept, the same command goes on")
        return 143
    except KeyboardInterrupt:
        log("interrupted: what was finished is kept, the same command goes on")
        return 130


class _Terminated(BaseException):
    """SIGTERM, raised so that locks and bars are let go."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated
