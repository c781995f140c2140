"""Long synthesis without a terminal says once how long it will take."""

import pytest

from benchmarks.cli import time_estimate
from benchmarks.cli.time_estimate import with_estimate


@pytest.mark.parametrize(("seconds", "says"), [(9.0, ["1.5 h"]), (0.01, [])])
def test_a_long_run_is_told_once_by_the_pace_of_its_first_iterations(
    seconds: float,
    says: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now, done = 100.0, 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps

    monkeypatch.setattr(time_estimate.time, "monotonic", lambda: now)
    progress = with_estimate(count, 600)
    for _ in range(20):
        progress(1)
        now += seconds
    lines = capsys.readouterr().err.splitlines()
    assert done == 20
    assert [line.split("about ")[1].removesuffix(" at this pace") for line in lines] == says
    assert all(line.startswith("600 iterations, about") for line in lines)
