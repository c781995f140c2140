"""MobileNetV2 (Sandler et al., 2018) for small images: stride 1 in stem and second stage."""

import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled

# expansion, channels, blocks, stride of the first block
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class DepthwiseConv(nn.Conv2d):
    """A convolution of each channel alone; its weights' names and values are Conv2d's.

    On a CPU the gradient of the weights is seven times slower where the map is smaller than the
    kernel, unless it is padded before the convolution.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[-1] >= self.kernel_size[1]:
            return super().forward(input)
        vertical, horizontal = int(self.padding[0]), int(self.padding[1])
        padded = F.pad(input, (horizontal, horizontal, vertical, vertical))
        return F.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1; a shortcut where input and output agree."""

    def __init__(self, inputs: int, hidden: int | None, outputs: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if hidden is None:
            hidden = inputs
        else:
            layers += [_conv(inputs, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)]
        layers += [
            DepthwiseConv(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            _conv(hidden, outputs, 1),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


class MobileNetV2(nn.Module):
    """Inverted residuals at 1, 1/2, 1/4 and 1/8 of the image's resolution."""

    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__()
        published = 32  # channels at width 1, which the expansions multiply
        inputs = scaled(published, width)
        blocks: list[nn.Module] = [
            nn.Sequential(_conv(3, inputs, 3), nn.BatchNorm2d(inputs), nn.ReLU6(inplace=True))
        ]
        for expansion, channels, repeats, first_stride in STAGES:
            outputs = scaled(channels, width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                hidden = scaled(published * expansion, width) if expansion > 1 else None
                blocks.append(InvertedResidual(inputs, hidden, outputs, stride))
                inputs, published = outputs, channels
        head = scaled(1280, width)
        blocks.append(
            nn.Sequential(_conv(inputs, head, 1), nn.BatchNorm2d(head), nn.ReLU6(inplace=True))
        )
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(head, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return logits


def _conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
