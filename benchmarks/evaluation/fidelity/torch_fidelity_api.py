"""What is used of torch-fidelity, in one place.

Its registry and `FeatureExtractorBase` are documented; the functions that turn features into
numbers are not, and may move. Tests hold them against `torch_fidelity.calculate_metrics`.
"""

import torch
from torch import Tensor, nn
from torch_fidelity import (
    KEY_METRIC_FID,
    KEY_METRIC_ISC_MEAN,
    KEY_METRIC_ISC_STD,
    KEY_METRIC_KID_MEAN,
    KEY_METRIC_PRECISION,
    KEY_METRIC_RECALL,
    register_feature_extractor,
)
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

INCEPTION_URL: str = URL_INCEPTION_V3
EFFICIENTNET, TORCHVISION = "efficientnet-lite0", "inception-v3-torchvision"
KNN_BATCH = 2000  # distances to 50,000 features are then held 0.4 GB at a time, not 10 GB


def network(name: str, layers: tuple[str, ...], weights: str) -> nn.Module:
    """A registered extractor on the CPU: uint8 (N, 3, H, W) to a tuple of float32 (N, D).

    Ours are registered when they are first asked for: EfficientNet's packages are needed by nothing
    else.
    """
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        _register_own(name)
    made: nn.Module = create_feature_extractor(
        name, list(layers), cuda=False, feature_extractor_weights_path=weights, verbose=False
    )
    return made


def _register_own(name: str) -> None:
    if name == EFFICIENTNET:
        from benchmarks.evaluation.fidelity.efficientnet import EfficientNetLite0

        register_feature_extractor(name, EfficientNetLite0)
    elif name == TORCHVISION:
        from benchmarks.evaluation.fidelity.inception_torchvision import TorchvisionInception

        register_feature_extractor(name, TorchvisionInception)


def inception_score(logits: Tensor, splits: int, seed: int) -> tuple[float, float]:
    """Mean and (population) standard deviation over ``splits`` shuffled parts of (N, K)."""
    found = isc_features_to_metric(logits, splits=splits, shuffle=True, rng_seed=seed)
    return found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD]


def frechet_distance(synthetic: Tensor, real: Tensor) -> float:
    """FID of features (N, D) and (M, D)."""
    statistics = [fid_features_to_statistics(features) for features in (synthetic, real)]
    distance: float = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    return distance


def kernel_distance(synthetic: Tensor, real: Tensor, subset: int, seed: int) -> float:
    """KID of features (N, D) and (M, D): the mean over 100 random subsets, cubic kernel."""
    found = kid_features_to_metric(
        synthetic, real, kid_subset_size=subset, rng_seed=seed, verbose=False
    )
    mean: float = found[KEY_METRIC_KID_MEAN]
    return mean


def precision_recall(
    synthetic: Tensor, real: Tensor, neighbours: int, device: torch.device
) -> tuple[float, float]:
    """k-NN precision and recall (Kynkäänniemi et al., 2019) of features (N, D) and (M, D).

    Precision is the share of synthetic images inside the real manifold, recall the share of real
    images inside the synthetic one. torch-fidelity before 0.4.0 had them swapped.
    """
    found = prc_features_to_metric(
        synthetic.to(device),
        real.to(device),
        prc_neighborhood=neighbours,
        prc_batch_size=KNN_BATCH,
        save_cpu_ram=True,
        verbose=False,
    )
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]
