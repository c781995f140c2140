"""Channel counts under a width factor."""

# PyTorch 2.15 on a CPU corrupts memory in the weight gradient of a strided 1x1 convolution with
# fewer input channels in channels_last, and narrower layers would save no time.
MIN_CHANNELS = 8


def scaled(channels: int, width: float) -> int:
    """``channels * width``, rounded, never below eight."""
    return max(MIN_CHANNELS, round(channels * width))
