"""``make gpu-check``: everything that runs differently on a GPU, held against the CPU.

``python -m benchmarks.perf.gpu_check [--device cuda|cpu]``. `check` says what a check is, `run`
runs and prints them; the other modules are the checks, by what they are about.
"""
