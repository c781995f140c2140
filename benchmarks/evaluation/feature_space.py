"""Where images lie in a classifier's features: the mathematics behind the paper's Figure 4.

Kim et al. (2022), "Feature Visualization": t-SNE (van der Maaten and Hinton, 2008) of the outputs
of a ResNet-34's residual stages and of its embedding. How the maps become vectors and how t-SNE was
set is not published: here maps are averaged to a few pixels a side and all features are projected
on their first principal components.

All of it runs in one thread: sums over threads agree up to rounding only, and t-SNE makes another
picture of another rounding.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.precision import compute_in
from naturalinversion.teacher.teacher import Teacher

EMBEDDING = "embedding"
Array = NDArray[np.float32]


def stage_names(teacher: Teacher) -> list[str]:
    """``block 1`` (the finest) to ``block L``, the teacher's stages, and ``embedding``."""
    return [*(f"block {number + 1}" for number in range(len(teacher.stages))), EMBEDDING]


def stage_features(
    teacher: Teacher,
    source: DeviceDataset,
    pool: int,
    batch_size: int = 256,
) -> dict[str, Array]:
    """Features (N, D) of ``source``'s N images for every stage, by its name of `stage_names`.

    Maps (N, C, H, W) are averaged to ``pool`` pixels a side, or stay as they are when they are
    smaller; then D is C * pool * pool. Computed in fp32 on the device that holds the images.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in stage_names(teacher)}
    with torch.inference_mode(), compute_in(source.images.device, "fp32"):
        for start in range(0, len(source), batch_size):
            images = source.batch(slice(start, start + batch_size))
            seen = teacher.observe(images, maps=True, embedding=True)
            assert seen.embedding is not None
            for name, found in zip(parts, (*seen.maps, seen.embedding), strict=True):
                if found.ndim == 4:
                    found = F.adaptive_avg_pool2d(found, min(pool, found.shape[-1]))
                parts[name].append(found.flatten(1).cpu())
    return {name: torch.cat(part).numpy() for name, part in parts.items()}


def pca(features: Array, components: int, seed: int) -> Array:
    """The coordinates (N, P) of N features (N, D) along their first principal components.

    P is ``components``, or D when that is smaller. N must not be below P.
    """
    from sklearn.decomposition import PCA  # scikit-learn takes seconds to import

    with threadpool_limits(1):
        fitted = PCA(min(components, features.shape[1]), random_state=_random_state(seed))
        return _array(fitted.fit_transform(features))


def t_sne(points: Array, perplexity: float, iterations: int, seed: int) -> Array:
    """N points (N, P) on a plane (N, 2), neighbours together; distances there mean little.

    Starts from the first two principal components. ``perplexity`` must be below N / 3 for the
    neighbours it speaks of to exist, ``iterations`` 250 or more.
    """
    from sklearn.manifold import TSNE

    with threadpool_limits(1):
        layout = TSNE(
            perplexity=perplexity,
            max_iter=iterations,
            init="pca",
            random_state=_random_state(seed),
            n_jobs=1,
        )
        return _array(layout.fit_transform(points))


def mixing(real: Array, synthetic: Array, *, neighbours: int, components: int, seed: int) -> float:
    """The mean share of real images among a synthetic image's nearest neighbours, 0 to 1.

    ``real`` and ``synthetic`` are features (N, D) of equally many images. Distances are Euclidean
    along the principal components of the two sets alone, so that the number does not depend on
    whom else a figure shows. Near 0.5 the sets can't be told apart in this way; 0 is apart; above
    0.5 the synthetic images lie among the real ones, away from each other.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(real) != len(synthetic):
        raise ValueError(f"{len(real)} real and {len(synthetic)} synthetic images: not as many")
    points = pca(np.concatenate([real, synthetic]), components, seed)
    with threadpool_limits(1):
        search = NearestNeighbors(n_neighbors=neighbours, n_jobs=1).fit(points)
        found = search.kneighbors(return_distance=False)  # of every point, itself left out
    return float((found[len(real) :] < len(real)).mean())


def _random_state(seed: int) -> int:
    return seed % 2**32  # what scikit-learn takes


def _array(values: Any) -> Array:
    return np.asarray(values, dtype=np.float32)
