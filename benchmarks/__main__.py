"""``python -m benchmarks``."""

from benchmarks.engine import packages

if __name__ == "__main__":
    packages.load("benchmarks.cli.main").main()
