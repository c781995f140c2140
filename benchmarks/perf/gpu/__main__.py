"""``python -m benchmarks.perf.gpu``."""

import sys

from benchmarks.engine import packages

if __name__ == "__main__":
    sys.exit(packages.load("benchmarks.perf.gpu.command").command())
