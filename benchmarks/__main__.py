"""``python -m benchmarks``, and the console script ``naturalinversion``."""

from benchmarks.engine import packages


def main() -> None:
    """The command line; one line where the packages that it needs are not installed."""
    packages.load("benchmarks.cli.main").main()


if __name__ == "__main__":
    main()
