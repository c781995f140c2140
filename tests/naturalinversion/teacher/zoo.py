"""Classifiers as other people build them: every factory returns one with running statistics.

Classes of detection libraries and of timm are imitated: what counts is which attributes they have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import weight_norm

from naturalinversion.seeds import seeded

CLASSES = 4
Norm = Callable[[int], nn.Module]


class OwnNorm(nn.BatchNorm2d):
    """A batch norm that does something else."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * 2


class StandardisedConv(nn.Conv2d):
    """Weight standardisation: kernels of mean 0 and variance 1, whatever their scale."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        dims = (1, 2, 3)
        centred = weight - weight.mean(dims, keepdim=True)
        return super()._conv_forward(input, centred / centred.std(dims, keepdim=True), bias)


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


class Small(nn.Module):
    """Two convolutions with norms, each followed by a pooling, and a linear head."""

    def __init__(
        self, channels: int = 3, norm: Norm = nn.BatchNorm2d, outputs: int = CLASSES
    ) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, 4, 3, padding=1), norm(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 4, 3, padding=1), norm(4)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(4, outputs)

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm1(self.conv1(images))))
        return self.pool(F.relu(self.norm2(self.conv2(x))))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.maps(images).mean(dim=(2, 3)))
        return logits


class Around(Small):
    """Something done to the logits of a small network."""

    def __init__(self, what: Callable[[Tensor], Any], outputs: int = 4) -> None:
        super().__init__(outputs=outputs)
        self.what = what

    def forward(self, images: Tensor) -> Any:  # type: ignore[override]
        return self.what(super().forward(images))


class Counts(Small):
    """Writes a buffer in eval mode: how many passes there were."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(images)


class FrozenNorm(nn.Module):
    """As the FrozenBatchNorm2d of torchvision and detectron2: four buffers, no parameter."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "running_var"):
            self.register_buffer(name, 0.5 + torch.rand(channels))
        for name in ("bias", "running_mean"):
            self.register_buffer(name, torch.randn(channels) / 4)

    def forward(self, maps: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        bias = self.bias - self.running_mean * scale
        return maps * scale.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


class NormWithoutBias(nn.BatchNorm2d):
    """As ``BatchNorm2d(channels, bias=False)``, which newer versions of PyTorch have."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_parameter("bias", None)


class NormAndActivation(nn.BatchNorm2d):
    """As timm's BatchNormAct2d: a batch norm with an activation of its own."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.leaky_relu_(super().forward(maps), 0.1)


class Shared(Small):
    """One norm for both convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.norm2 = self.norm1


class ByName(Small):
    """Gives every layer its maps by name."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm1(input=self.conv1(input=images))))
        x = self.pool(F.relu(self.norm2(input=self.conv2(input=x))))
        logits: Tensor = self.head(input=x.mean(dim=(2, 3)))
        return logits


class Excited(Small):
    """Linear layers inside, for squeeze and excitation, and a convolution as the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Linear(4, 2), nn.Linear(2, 1)
        self.head = nn.Conv2d(4, CLASSES, 1)  # type: ignore[assignment]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maps(images)
        scales = self.excite(F.relu(self.squeeze(maps.mean(dim=(2, 3))))).sigmoid()
        logits: Tensor = self.head(maps * scales[:, :, None, None]).mean(dim=(2, 3))
        return logits


class Attention(Small):
    """Attention between all pixels, layers over channels last, and one over windows of the maps."""

    def __init__(self) -> None:
        super().__init__()
        self.soft, self.mix, self.window = nn.Softmax(-1), nn.Linear(4, 3), nn.Conv2d(4, 4, 1)
        self.back = nn.Linear(3, 4)

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm1(self.conv1(images))))  # (N, 4, 8, 8)
        tokens = x.flatten(2).unsqueeze(1)
        weights = self.soft(tokens.transpose(2, 3) @ tokens)  # (N, 1, 64, 64)
        x = x + (tokens @ weights).view_as(x)
        x = x + self.back(self.mix(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        windows = x.unflatten(3, (2, 4)).movedim(3, 1).flatten(0, 1)  # (2N, 4, 8, 4)
        x = self.window(windows).unflatten(0, (-1, 2)).movedim(1, 3).flatten(3)
        return self.pool(F.relu(self.norm2(self.conv2(x))))  # type: ignore[no-any-return]


class InPlace(Small):
    """Activations that overwrite the output of the norm before them."""

    def maps(self, images: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm1(self.conv1(images)), inplace=True))
        return self.pool(F.relu(self.norm2(self.conv2(x)), inplace=True))  # type: ignore[no-any-return]


class View(Small):
    """``view`` after the pooling, which maps in channels_last layout don't take."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4 * 4 * 4, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maps(images)
        logits: Tensor = self.head(maps.view(maps.shape[0], -1))
        return logits


class ExtraState(Small):
    """State that is no tensor."""

    def get_extra_state(self) -> dict[str, Any]:
        return {"version": 3, "names": ["a", "b"], "scale": torch.ones(2)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.loaded = state


class HalfInside(Small):
    """Converts its maps to 16 bits itself."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.bfloat16()).float()


class WritesToInput(Small):
    """Scales the images it is given, in place."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.mul_(0.5))


class Squeezes(Small):
    """Loses its batch dimension when it is given one image."""

    def forward(self, images: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.maps(images), 1)
        logits: Tensor = self.head(pooled.squeeze())
        return logits


class Dense(nn.Module):
    """No convolution: batch norms over features, and no feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 16 * 16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


def trained(make: Callable[[], nn.Module], shape: tuple[int, int, int] = (3, 16, 16)) -> nn.Module:
    """Weights by seed, and running statistics from a few images."""
    with seeded(1):
        model = make().train()
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(8, *shape))
    return model


def without_parameters() -> nn.Module:
    """Every weight is a buffer."""
    model = trained(Small)
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return model


def part_compiled() -> nn.Module:
    model = trained(Small)
    model.norm1 = torch.compile(model.norm1)
    return model


def compiled_in_place() -> nn.Module:
    model = trained(Small)
    model.compile()
    return model


def compiled_forward() -> nn.Module:
    class CompiledForward(Small):
        """Compiled with its class, here: it takes seconds that most tests needn't wait."""

        forward = torch.compile(Small.forward)  # type: ignore[assignment]

    model = CompiledForward()
    model.load_state_dict(trained(Small).state_dict())
    return model


def converting() -> nn.Module:
    model = HalfInside()
    model.load_state_dict(trained(Small).state_dict())
    return model.bfloat16()


def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return trained(Small)


def normalised_weights() -> nn.Module:
    """The older weight norm keeps a computed weight beside its parameters."""
    model = trained(Small)
    assert isinstance(model, Small)
    weight_norm(model.conv1)
    model(torch.zeros(2, 3, 16, 16))
    return model


@dataclass(frozen=True)
class ZooModel:
    """A classifier, the images it takes, how many norms a pass calls, and if it has maps."""

    make: Callable[[], nn.Module]
    shape: tuple[int, int, int] = (3, 16, 16)
    norms: int = 2
    maps: bool = True

    def arguments(self) -> dict[str, Any]:
        """Those of `Teacher`."""
        channels = self.shape[0]
        mean, std = (0.5,) * channels, (0.25,) * channels
        return {"num_classes": CLASSES, "image_shape": self.shape, "mean": mean, "std": std}


def grey() -> nn.Module:
    return trained(lambda: Small(1), (1, 16, 16))


def oblong() -> nn.Module:
    return trained(Small, (3, 16, 24))


def oblong_grey() -> nn.Module:
    return trained(lambda: Small(1), (1, 24, 12))


ZOO: dict[str, ZooModel] = {
    "plain": ZooModel(lambda: trained(Small)),
    "grey": ZooModel(grey, (1, 16, 16)),
    "oblong": ZooModel(oblong, (3, 16, 24)),
    "oblong grey": ZooModel(oblong_grey, (1, 24, 12)),
    "with opacity": ZooModel(lambda: trained(lambda: Small(4), (4, 16, 16)), (4, 16, 16)),
    "frozen norms": ZooModel(lambda: trained(lambda: Small(norm=FrozenNorm))),
    "synchronised norms": ZooModel(
        lambda: nn.SyncBatchNorm.convert_sync_batchnorm(trained(Small)),
    ),
    "norms with activations": ZooModel(lambda: trained(lambda: Small(norm=NormAndActivation))),
    "norms without a bias": ZooModel(lambda: trained(lambda: Small(norm=NormWithoutBias))),
    "shared norm": ZooModel(lambda: trained(Shared)),
    "norms over features": ZooModel(lambda: trained(Dense), norms=1, maps=False),
    "by name": ZooModel(lambda: trained(ByName)),
    "own norms by name": ZooModel(lambda: trained(lambda: ByName(norm=OwnNorm))),
    "squeeze and excitation": ZooModel(lambda: trained(Excited)),
    "attention": ZooModel(lambda: trained(Attention)),
    "in place": ZooModel(lambda: trained(InPlace)),
    "view": ZooModel(lambda: trained(View)),
    "extra state": ZooModel(lambda: trained(ExtraState)),
    "half": ZooModel(lambda: trained(Small).half()),
    "bfloat16": ZooModel(lambda: trained(Small).bfloat16()),
    "converts to half": ZooModel(converting),
    "double": ZooModel(lambda: trained(Small).double()),
    "writes to its input": ZooModel(lambda: trained(WritesToInput)),
    "squeezes": ZooModel(lambda: trained(Squeezes)),
    "without parameters": ZooModel(without_parameters),
    "compiled": ZooModel(lambda: torch.compile(trained(Small))),  # type: ignore[return-value, arg-type]
    "part compiled": ZooModel(part_compiled),
    "compiled in place": ZooModel(compiled_in_place),
    "compiled forward": ZooModel(compiled_forward),
    "for several devices": ZooModel(lambda: nn.DataParallel(trained(Small))),
    "made in inference mode": ZooModel(made_in_inference_mode),
    "normalised weights": ZooModel(normalised_weights),
}
