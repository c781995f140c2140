"""One table of the ratios that the benchmarks found, after pytest's own of seconds."""

from collections.abc import Callable

import pytest

from benchmarks.perf.pairs import Pair

RATIOS: list[tuple[str, str]] = []


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep what a benchmark found for the table."""

    def keep(pair: Pair, note: str = "") -> None:
        text = f"{pair.ratio:.2f} (of {len(pair.fast)} rounds {min(pair.ratios):.2f} to "
        RATIOS.append((request.node.name, text + f"{max(pair.ratios):.2f}){note}"))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not RATIOS:
        return
    terminalreporter.section("ratios of process CPU time, slow way to fast way, in turns")
    width = max(len(name) for name, _ in RATIOS)
    for name, text in RATIOS:
        terminalreporter.write_line(f"{name:{width}}  {text}")
