"""Targets for one H100, and the table of everything that was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.perf.gpu.measure import Found

NI_MS, DI_MS = 8.0, 4.5  # ResNet-34, 256 images, bf16
TIMES_DEFAULT, TIMES_FP32 = 2.5, 8.0
NEW_BATCH = 0.01
IMAGES_PER_SECOND, OVERHEAD = 20_000, 0.05
MISSING = "not measured"


@dataclass(frozen=True)
class Target:
    """``measured`` is None where something it needs could not be measured."""

    name: str
    measured: float | None
    bound: str
    limit: float

    @property
    def verdict(self) -> str:
        """Met, missed, or not measured."""
        if self.measured is None:
            return MISSING
        at_most = self.bound == "at most"
        met = self.measured <= self.limit if at_most else self.measured >= self.limit
        return "met" if met else "missed"

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        said = f"{self.bound} {self.limit:,g}"
        return {"measured": self.measured, "target": said, "verdict": self.verdict}


def targets(found: Found) -> list[Target]:
    """Each with what was measured."""
    ni, di = _of(found, "iteration", "ni, bf16"), _of(found, "iteration", "di, bf16")
    return [
        Target("NI, ms an iteration", _of(ni, "milliseconds"), "at most", NI_MS),
        Target("DI, ms an iteration", _of(di, "milliseconds"), "at most", DI_MS),
        Target(
            "NI, times the published step in default precision",
            _times(found, "default"),
            "at least",
            TIMES_DEFAULT,
        ),
        Target(
            "NI, times the published step in float32", _times(found, "fp32"), "at least", TIMES_FP32
        ),
        Target(
            "NI, share that a new batch adds to 1,000 iterations",
            _of(found, "new batch", "share of 1,000 iterations"),
            "at most",
            NEW_BATCH,
        ),
        Target(
            "training, images a second",
            _of(found, "training", "bf16", "images_per_second"),
            "at least",
            IMAGES_PER_SECOND,
        ),
        Target(
            "training, over the bare step",
            _of(found, "training", "bf16", "overhead"),
            "at most",
            OVERHEAD,
        ),
    ]


def table(found: Found) -> str:
    """One table of everything, for people."""
    frame = pd.DataFrame(_rows(found), columns=[found["device"], "measured", "target"])
    return str(frame.to_string(index=False, formatters={"measured": _number}))


def _rows(found: Found) -> Iterator[Sequence[Any]]:
    for name, values in found.get("iteration", {}).items():
        yield f"iteration, {name}, ms", values["milliseconds"], ""
        yield f"iteration, {name}, peak MB", values["peak_mb"], ""
    for name, value in found.get("new batch", {}).items():
        yield f"new batch, {name}", value, ""
    for precision, values in found.get("training", {}).items():
        yield f"training, {precision}, images/s", values["images_per_second"], ""
        yield f"training, {precision}, peak MB", values["peak_mb"], ""
    for name, value in found.get("agreement", {}).items():
        yield name, value, ""
    rate, operations = _of(found, "matrix", "bf16"), _of(found, "operations", "ni")
    if rate:
        yield "bf16 matrix products, TFLOP/s", rate / 1e12, ""
    if operations:
        yield "NI, TFLOP an iteration", operations / 1e12, ""
    if rate and operations:
        at_target = share(operations, NI_MS, rate)
        step = _of(found, "iteration", "ni, bf16", "milliseconds")
        measured = step and share(operations, step, rate)
        yield "NI, share of that rate", measured, f"{at_target:.2f} at {NI_MS:g} ms"
    for target in targets(found):
        yield target.name, target.measured, f"{target.bound} {target.limit:,g}: {target.verdict}"


def share(operations: float, milliseconds: float, rate: float) -> float:
    """Of ``rate`` FLOP a second, that so many in this time come to."""
    return operations / (milliseconds / 1e3) / rate


def _times(found: Found, precision: str) -> float | None:
    step = _of(found, "iteration", "ni, bf16", "milliseconds")
    published = _of(found, "iteration", f"published ni, {precision}", "milliseconds")
    return published / step if step and published else None


def _of(values: Any, *path: str) -> Any:
    """What lies there, or None."""
    for name in path:
        values = values.get(name) if values is not None else None
    return values


def _number(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:,.4g}"
