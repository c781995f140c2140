"""Sides of the images that the generators can make."""

from naturalinversion.errors import SettingError


def height_and_width(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """(H, W) of a size that is given as such, or as the side of a square."""
    return (image_size, image_size) if isinstance(image_size, int) else image_size


def base_resolution(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """A quarter of the image's sides, at which a generator starts. Raises `SettingError`."""
    height, width = height_and_width(image_size)
    for side in (height, width):
        if side < 8 or side % 4:
            raise SettingError(
                f"the generator makes images whose sides are multiples of 4, 8 or more: not {side}"
            )
    return height // 4, width // 4
