"""From features to the numbers of Tables 1, 3 and 4.

The mathematics is torch-fidelity's (Inception Score, FID, KID, k-NN precision and recall), except
for PRD. The tables give one precision and one recall each, of the size that k-NN gives and PRD
does not, so k-NN is the default reading, and PRD stands beside it.
"""

import math

import torch
from torch import Tensor

from benchmarks.evaluation.fidelity import torch_fidelity_api
from benchmarks.evaluation.fidelity.extractors import FeatureLayers
from benchmarks.evaluation.fidelity.features import Features
from benchmarks.evaluation.fidelity.prd import prd
from benchmarks.recipes.schema import FidelityMetrics
from naturalinversion.errors import BenchmarkError
from naturalinversion.precision import compute_in
from naturalinversion.seeds import derive, generator

KID_SUBSET = 1000  # torch-fidelity's, or as many as there are


def check_counts(synthetic: int, real: int, protocol: FidelityMetrics) -> None:
    """Raise `BenchmarkError` naming the first metric that needs more images than there are."""
    fewer = min(synthetic, real)
    needs = [
        ("FID", fewer, 2),
        ("KID", fewer, 2),
        ("the Inception Score", synthetic, protocol.splits),
        ("k-NN precision and recall", fewer, protocol.neighbours + 1),
        ("PRD", fewer, protocol.clusters),
    ]
    for metric, there, needed in needs:
        if there < needed:
            raise BenchmarkError(
                f"{metric} needs {needed} images, there are {there} "
                f"({synthetic} to judge, {real} real)"
            )


def measure(
    synthetic: Features,
    real: Features,
    layers: FeatureLayers,
    protocol: FidelityMetrics,
    seed: int,
    device: torch.device,
) -> dict[str, float]:
    """All metrics of ``synthetic`` against ``real``.

    FID uses every image, KID the mean over random subsets. Precision, recall and PRD want sets of
    one size: of the larger a random part is taken. Raises `BenchmarkError` for too few images and
    for what isn't finite.
    """
    final, real_final = synthetic[layers.final], real[layers.final]
    check_counts(len(final), len(real_final), protocol)
    for name, features in (("the images to judge", synthetic), ("real images", real)):
        if not all(values.isfinite().all() for values in features.values()):
            raise BenchmarkError(f"the features of {name} are not all finite numbers")
    subsets = derive(seed, "subsets") % 2**32  # what numpy's RandomState takes
    score, score_sd = torch_fidelity_api.inception_score(
        synthetic[layers.logits], protocol.splits, subsets
    )
    subset = min(KID_SUBSET, len(final), len(real_final))
    found = {
        "inception_score": score,
        "inception_score_sd": score_sd,
        "fid": torch_fidelity_api.frechet_distance(final, real_final),
        "fid_early": torch_fidelity_api.frechet_distance(
            synthetic[layers.early], real[layers.early]
        ),
        "kid": torch_fidelity_api.kernel_distance(final, real_final, subset, subsets),
    }
    one, other = equal_parts(final, real_final, seed)
    with compute_in(device, "fp32"):
        found["precision"], found["recall"] = torch_fidelity_api.precision_recall(
            one, other, protocol.neighbours, device
        )
    curve = prd(one, other, clusters=protocol.clusters, runs=protocol.clustering_runs, seed=seed)
    found |= {"f8": curve.f8, "f1_8": curve.f1_8}
    for metric, value in found.items():
        if not math.isfinite(value):
            raise BenchmarkError(f"{metric} of these images is {value}, not a finite number")
    return found


def equal_parts(one: Tensor, other: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Both cut to the smaller one's length (N, D), the larger one at random."""
    count = min(len(one), len(other))

    def part(features: Tensor) -> Tensor:
        if len(features) == count:
            return features
        order = torch.randperm(len(features), generator=generator(derive(seed, "part")))
        return features[order[:count]]

    return part(one), part(other)
