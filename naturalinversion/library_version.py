"""The version of this library, as it is installed."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def library_version() -> str | None:
    """None where its code is used without being installed."""
    try:
        return version("naturalinversion")
    except PackageNotFoundError:
        return None
