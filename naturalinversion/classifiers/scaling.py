"""How a width factor turns the published channel count into a narrower one."""


def scaled(channels: int, width: float) -> int:
    """``channels * width``, rounded, never below four."""
    return max(4, round(channels * width))
