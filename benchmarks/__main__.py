"""``python -m benchmarks``, and the console script ``naturalinversion``."""

import sys

from benchmarks.engine import packages


def main() -> None:
    """The command line; one line where the packages that it needs are not installed, or where it is
    interrupted while they load, which takes seconds.
    """
    try:
        packages.load("benchmarks.cli.main").main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
