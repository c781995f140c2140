"""One table of the ratios that the benchmarks found, after pytest's own of relative costs."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.utils import ALLOWED_COLUMNS

from benchmarks.perf.ratio_clock import Comparison

LINES: list[tuple[str, str]] = []
BENCHMARK_FIELDS = ("name", "fullname", "params", "extra_info")


@pytest.fixture
def compare(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> Comparison:
    """Two ways to do the same, in turns."""
    return Comparison(benchmark, request.node.name, LINES)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As a worker of the demo has it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Results are kept with the code: they say what the machine is, not what it is called."""
    processor = machine_info["cpu"]
    kept = {"system": machine_info["system"], "python_version": machine_info["python_version"]}
    machine_info.clear()
    machine_info.update(kept, cpu={name: processor.get(name) for name in ("brand_raw", "count")})


def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]
) -> None:
    """Keep what pytest-benchmark compares and docs/speed.md shows."""
    output_json["benchmarks"] = [
        {name: one[name] for name in BENCHMARK_FIELDS}
        | {"stats": {name: one["stats"][name] for name in ALLOWED_COLUMNS}}
        for one in output_json["benchmarks"]
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not LINES:
        return
    terminalreporter.section("times faster: process CPU time of the slow way over the fast one's")
    width = max(len(name) for name, _ in LINES)
    for name, text in LINES:
        terminalreporter.write_line(f"{name:{width}}  {text}")
