"""Precision and recall of distributions: Sajjadi et al., "Assessing Generative Models via
Precision and Recall", NeurIPS 2018, which the paper cites for its Tables 1 and 3.

Features of both sets are clustered together; the two histograms over the clusters give a curve
(their Algorithm 1), and two numbers sum it up: F8 weighs recall, F1/8 precision (section 4.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from naturalinversion.seeds import derive

ANGLES = 1001
BETA = 8.0
STARTS = 3  # of k-means, the best is kept

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PRD:
    """``f8`` is high when nothing real is missing, ``f1_8`` when nothing synthetic is out."""

    f8: float
    f1_8: float


def prd(synthetic: Tensor, real: Tensor, *, clusters: int, runs: int, seed: int) -> PRD:
    """PRD of features (N, D) and (N, D); sets of unlike size would be clustered unfairly.

    The curve is the mean over ``runs`` clusterings.
    """
    union = np.concatenate([synthetic.numpy(), real.numpy()])
    curves = []
    for run in range(runs):
        state = derive(seed, "clustering", run) % 2**32
        found = MiniBatchKMeans(clusters, n_init=STARTS, random_state=state).fit_predict(union)
        shares = [
            np.bincount(part, minlength=clusters) / len(part)
            for part in (found[: len(synthetic)], found[len(synthetic) :])
        ]
        curves.append(curve(*shares))
    precision, recall = np.mean(curves, axis=0)
    return PRD(_best_f(precision, recall, BETA), _best_f(precision, recall, 1 / BETA))


def curve(synthetic: Array, real: Array) -> tuple[Array, Array]:
    """Precision and recall (1001,) of two histograms, at slopes between nought and infinity."""
    slopes = np.tan(np.arange(1, ANGLES + 1) / (ANGLES + 1) * np.pi / 2)[:, None]
    precision = np.minimum(slopes * real, synthetic).sum(axis=1)
    recall = np.minimum(real, synthetic / slopes).sum(axis=1)
    return precision, recall


def _best_f(precision: Array, recall: Array, beta: float) -> float:
    weighted = beta**2 * precision + recall
    product = (1 + beta**2) * precision * recall
    return float(np.divide(product, weighted, out=np.zeros_like(product), where=weighted > 0).max())
