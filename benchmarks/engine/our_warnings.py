"""The library's warnings, passed to a logger or console while a method is at work."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from naturalinversion.errors import NaturalInversionWarning


@contextmanager
def our_warnings_to(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block this library's warnings go to ``say``, repeats as well; no others do."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def pass_on(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, NaturalInversionWarning):
                say(str(message))
            else:
                show(message, category, *where)

        warnings.filterwarnings("always", category=NaturalInversionWarning)
        warnings.showwarning = pass_on  # type: ignore[assignment]
        yield
