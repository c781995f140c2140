"""What the tests of fidelity look at, and with what."""

from typing import Any

import torch
import torch_fidelity
from torch import Tensor

CPU = torch.device("cpu")
LITE = "efficientnet-lite0"
INCEPTION = "inception-v3-compat"
TORCHVISION = "inception-v3-torchvision"


class Tiny(torch_fidelity.FeatureExtractorBase):  # type: ignore[misc]
    """Pixels pooled to 4x4 and projected; the projection is the file's."""

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, features_list)
        assert feature_extractor_weights_path is not None
        weights = torch.load(feature_extractor_weights_path, weights_only=True)
        self.register_buffer("projection", weights["projection"])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = images.float() / 255
        pooled = torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)  # (N, 48)
        final = pooled @ self.projection
        found = {"early": x.mean(dim=(2, 3)), "final": final, "logits": 3 * final[:, :10]}
        return tuple(found[name] for name in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "early", "final", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "final"


def colours(count: int, low: int, high: int, seed: int) -> Tensor:
    """Plain images (count, 3, 8, 8) of colours from a cube, with a little grain."""
    draws = torch.Generator().manual_seed(seed)
    plain = torch.randint(low, high, (count, 3, 1, 1), generator=draws)
    grain = torch.randint(0, 4, (count, 3, 8, 8), generator=draws)
    return (plain + grain).clamp(0, 255).to(torch.uint8)


def noise(count: int, size: int, seed: int) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=draws).to(torch.uint8)
