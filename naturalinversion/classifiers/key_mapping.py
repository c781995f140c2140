"""Maps the parameter names of a published state dict to those of one of our networks."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
# Inserted by torch.compile, DistributedDataParallel around it, and activation checkpointing.
INSERTED = re.compile(r"(?<![^.])(_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.")
COUNTERS = ("n_averaged", "initted", "step")  # of averaged weights
AVERAGED = "ema_model."  # beside the weights of the last step
EXTRA_STATE = "_extra_state"  # of nn.Module.get_extra_state
SHOWN = 3  # names of each kind in a message


def map_keys(
    given: Mapping[str, Any], expected: Mapping[str, Any], source: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """``given`` under the names of ``expected``, and the names that changed, from old to new.

    The new name of what is left out is empty. Prefixes of wrappers are taken off, see
    `network_states`; of several networks in one file the averaged one is taken.
    ``num_batches_tracked``, which old files lack, and extra states are taken from ``expected``.
    Raises `UsageError` in one line that names what is missing, what is unknown,
    and a shape that differs, or two networks that both fit.
    """
    fitting: list[tuple[str, dict[str, Any], dict[str, str]]] = []
    least: list[str] | None = None
    for prefix, state in network_states(given, expected):
        found, renamed, problems = _matched(state, expected)
        if least is None or len(problems) < len(least):
            least = problems
        known = any(
            all(found[name] is other.get(name) for name in found) for _, other, _ in fitting
        )
        if not problems and not known:
            fitting.append((prefix, found, renamed))
    if not fitting:
        raise UsageError(f"{source}: weights of another network: {'; '.join(least or [])}")
    chosen = next((fit for fit in fitting if fit[0] in ("", AVERAGED)), fitting[0])
    if len(fitting) > 1 and chosen[0] not in ("", AVERAGED):
        prefixes = " and ".join(f"'{prefix}'" for prefix, _, _ in fitting[:2])
        raise UsageError(f"{source}: two networks fit, under {prefixes}: keep one of them")
    prefix, found, renamed = chosen
    used = {INSERTED.sub("", name) for name in given if INSERTED.sub("", name).startswith(prefix)}
    counters = set(COUNTERS) - set(expected)
    left_out = [n for n in given if INSERTED.sub("", n) not in used - counters]
    return found, renamed | dict.fromkeys(left_out, "")


def network_states(
    given: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, tuple[str, Any]]]]:
    """Parts of ``given`` that may be the network: the prefix, and by name the old name and value.

    The whole comes first, without the names that wrappers insert. Then everything under a prefix
    with values enough: what a Lightning module or an average of weights calls its network. Names
    beside it (a loss's buffers, a count) are left out.
    """
    plain = {INSERTED.sub("", name): (name, value) for name, value in given.items()}
    yield "", {n: pair for n, pair in plain.items() if n not in COUNTERS or n in expected}
    needed = sum(not _optional(name) for name in expected)
    prefixes = Counter(
        name[: end + 1] for name in plain for end, letter in enumerate(name) if letter == "."
    )
    for prefix, count in prefixes.items():
        if count >= needed:
            yield (
                prefix,
                {n.removeprefix(prefix): v for n, v in plain.items() if n.startswith(prefix)},
            )


def _matched(
    state: Mapping[str, tuple[str, Any]], expected: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """``state`` under the names of ``expected``, the old names that changed, what does not fit."""
    found: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    problems = []
    for name, (old, value) in state.items():
        new = _mapped_name(name, expected, state)
        if new in found:
            problems.append(f"{new} given twice, once as {old}")
        found[new] = value
        if new != old:
            renamed[old] = new
    for name, value in expected.items():
        if _optional(name):
            found.setdefault(name, value)
    if missing := [name for name in expected if name not in found]:
        problems.append(f"{len(missing)} missing ({_some(missing)})")
    if extra := [name for name in found if name not in expected]:
        problems.append(f"{len(extra)} unknown ({_some(extra)})")
    for name, value in expected.items():
        other = found.get(name)
        if not isinstance(other, Tensor) or not isinstance(value, Tensor):
            continue
        if other.shape != value.shape:
            problems.append(f"{name} has shape {tuple(other.shape)}, not {tuple(value.shape)}")
            break
    return found, renamed, problems


def renaming_text(renamed: Mapping[str, str]) -> str:
    """``122 names mapped: layer2.0.shortcut.0.weight → layer2.0.downsample.0.weight, …``."""
    pairs = [f"{old} → {new}" for old, new in renamed.items() if new]
    left_out = [old for old, new in renamed.items() if not new]
    parts = [f"{len(pairs)} names mapped: {_some(pairs)}"] if pairs else []
    parts += [f"{len(left_out)} left out: {_some(left_out)}"] if left_out else []
    return "; ".join(parts)


def _optional(name: str) -> bool:
    return name.endswith(("num_batches_tracked", EXTRA_STATE))


def _mapped_name(name: str, expected: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    if name in expected:
        return name
    candidates = [name]
    for pattern, replacement in KNOWN_RENAMES:  # each alone and after those before it
        candidates += [re.sub(pattern, replacement, known) for known in candidates]
    return next((new for new in candidates if new in expected and new not in given), name)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")
