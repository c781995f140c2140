"""Maps the parameter names of a published state dict to those of one of our networks."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from naturalinversion.errors import UsageError

# Patterns tried in this order on a parameter name that the network does not have.
KNOWN_RENAMES = (
    (r"^(module|model|net|backbone)\.", ""),
    (r"\.shortcut\.", ".downsample."),
    (r"\.convShortcut\.", ".shortcut."),  # wide ResNets
    (r"^(linear|classifier|head)\.", "fc."),
    (r"^(linear|fc|head|classifier\.1)\.", "classifier."),
    (r"^classifier\.0\.", "classifier.1."),  # VGG with dropout after its hidden layers
    (r"^classifier\.3\.", "classifier.4."),
)
SHOWN = 3  # names of each kind in a message


def map_keys(
    given: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``given`` under the names of ``expected``, and the names that changed, from old to new.

    ``num_batches_tracked``, which old files lack, are taken from ``expected``. Raises `UsageError`
    in one line that names what is missing, what is unknown, and a shape that differs.
    """
    found: dict[str, Tensor] = {}
    renamed: dict[str, str] = {}
    problems = []
    for name, tensor in given.items():
        new = _mapped_name(name, expected, given)
        if new in found:
            problems.append(f"{new} given twice, once as {name}")
        found[new] = tensor
        if new != name:
            renamed[name] = new
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, tensor)
    if missing := [name for name in expected if name not in found]:
        problems.append(f"{len(missing)} missing ({_some(missing)})")
    if extra := [name for name in found if name not in expected]:
        problems.append(f"{len(extra)} unknown ({_some(extra)})")
    for name, tensor in expected.items():
        if name in found and found[name].shape != tensor.shape:
            shapes = f"{tuple(found[name].shape)}, not {tuple(tensor.shape)}"
            problems.append(f"{name} has shape {shapes}")
            break
    if problems:
        raise UsageError(f"{source}: weights of another network: {'; '.join(problems)}")
    return found, renamed


def renaming_text(renamed: Mapping[str, str]) -> str:
    """``122 names mapped: layer2.0.shortcut.0.weight → layer2.0.downsample.0.weight, …``."""
    pairs = [f"{old} → {new}" for old, new in renamed.items()]
    return f"{len(pairs)} names mapped: {_some(pairs)}"


def _mapped_name(name: str, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    if name in expected:
        return name
    candidates = [name]
    for pattern, replacement in KNOWN_RENAMES:  # each alone and after those before it
        candidates += [re.sub(pattern, replacement, known) for known in candidates]
    return next((new for new in candidates if new in expected and new not in given), name)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")
