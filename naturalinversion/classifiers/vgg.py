"""VGG-11 and -16 with batch norm (Simonyan and Zisserman, 2014), for images of 16 or 32 pixels.

Five poolings bring 32 pixels to 1; the last one rounds up, so that 16 pixels end at 1 as well.
The head and the initialisation are those of the network that NaturalInversion publishes: dropout
before each hidden linear layer, convolutions from N(0, 2 / (k^2 C_out)), biases at zero. Names of
parameters are that network's; torchvision's load through `key_mapping`.
"""

from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled

# Channels of the convolutions of each stage.
VGG11 = ((64,), (128,), (256, 256), (512, 512), (512, 512))
VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG(nn.Module):
    """Five stages of 3x3 convolutions and a classifier of three linear layers."""

    def __init__(self, stages: tuple[tuple[int, ...], ...], num_classes: int, width: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage in stages:
            for outputs in (scaled(c, width) for c in stage):
                layers += [
                    nn.Conv2d(inputs, outputs, 3, 1, 1),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(inplace=True),
                ]
                inputs = outputs
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        dropout = 0.5 * min(1.0, width)  # half of 64 features is too few to learn from
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(inputs, inputs),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(inputs, inputs),
            nn.ReLU(inplace=True),
            nn.Linear(inputs, num_classes),
        )
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)
