"""Fidelity of synthetic images: Inception Score, FID, KID, precision, recall and PRD.

`extractors` names the networks, `features` runs them and keeps what they say of real images,
`metrics` turns features into numbers. Nothing is imported here: torch-fidelity takes seconds.
"""
