"""torchvision's Inception-v3 with its ImageNet weights, as an extractor.

The literal reading of the paper's "ImageNet pre-trained Inception-v3" (Szegedy et al., CVPR 2016).
Its numbers are not those of the network that FID is defined by (TensorFlow's of 2015, here
``inception-v3-compat``) and never share a column with them.

Pixels are resized to 299 with plain bilinear interpolation, the whole image as for FID, where
torchvision's own transform crops the middle; and normalised to [-1, 1], which is what the network
makes of torchvision's normalisation (``transform_input``).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import inception_v3
from torchvision.models.feature_extraction import create_feature_extractor

from benchmarks.evaluation.fidelity.resizing_extractor import ResizingExtractor

EARLY, FINAL, LOGITS = "64", "2048", "logits"
NODES = {"maxpool1": EARLY, "avgpool": FINAL, "fc": LOGITS}
AUXILIARY = "AuxLogits."  # a second head that is there for training


class TorchvisionInception(ResizingExtractor):
    """Features of uint8 images (N, 3, H, W), float32:

    * ``64`` (N, 64): the first max-pool block, averaged over the image, as for Table 4;
    * ``2048`` (N, 2048): pooled, what the classifier reads;
    * ``logits`` (N, 1000): the classifier's answer, its bias included.
    """

    size, centre, scale = 299, 127.5, 127.5

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, features_list)
        if feature_extractor_weights_path is None:
            raise ValueError("no file of weights is given")
        weights = torch.load(feature_extractor_weights_path, map_location="cpu", weights_only=True)
        network = inception_v3(weights=None, aux_logits=False, init_weights=False)
        network.load_state_dict({k: v for k, v in weights.items() if not k.startswith(AUXILIARY)})
        network.eval().requires_grad_(False)
        self.model: nn.Module = create_feature_extractor(network, NODES)
        self.model.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """All three."""
        found: dict[str, Tensor] = self.model(x)
        found[EARLY] = found[EARLY].mean(dim=(2, 3))
        found[FINAL] = found[FINAL].flatten(1)
        return found

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """All three."""
        return EARLY, FINAL, LOGITS
