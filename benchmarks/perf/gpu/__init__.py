"""``make bench-gpu``: synthesis and training on a GPU against the published step and the hardware.

``python -m benchmarks.perf.gpu``. `measure` is what is measured, `targets` what it is held against,
`kernels` where an iteration's time goes.
"""
