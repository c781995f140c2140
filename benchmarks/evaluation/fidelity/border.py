"""How much darker the edge of images is than their middle, on average.

Teachers are trained on crops out of black padding; images that are to reproduce their batch-norm
statistics may reproduce the padding too.
"""

from torch import Tensor

EDGE = 8  # the edge is this part of a side wide: 4 pixels of 32, the usual padding


def border_contrast(pixels: Tensor) -> float:
    """Mean of the middle less mean of the edge, of images (N, C, H, W) as uint8; 1 is white.

    The middle is half as wide and high as the image.
    """
    height, width = pixels.shape[-2:]
    top, left = max(1, height // EDGE), max(1, width // EDGE)
    mean = pixels.float().mean((0, 1)) / 255  # (H, W)
    inside = mean[top : height - top, left : width - left]
    edge = (mean.sum() - inside.sum()) / (mean.numel() - inside.numel())
    middle = mean[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(middle.mean() - edge)
