"""What is fast, and how fast: benchmarks whose results are ratios taken in one run."""
