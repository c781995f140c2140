"""A report in a real browser, opened as a file, offline, and held to what every page must keep.

Chromium is not a Python package: without one these tests are skipped.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from reports.report import write_report
from tests.browser.report_files import write_runs
from tests.browser.waiting import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
OpenPage = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(
            f"no Chromium: none of {', '.join(NAMES)} is on PATH; install one "
            "(apt install chromium) or name it in CHROMIUM"
        )
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of some fake runs."""
    folder = tmp_path_factory.mktemp("browser")
    write_runs(folder / "runs")
    return write_report(folder / "runs", folder / "out", protocol={}).page


class Tab:
    """A page offline in a context of its own, with what it asked for and complained of."""

    def __init__(self, browser: Any, report: Path, **options: Any) -> None:
        self.report = report.as_uri()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        wide = {"viewport": {"width": 1280, "height": 900}}
        self.context = browser.new_context(**wide | options)
        self.context.set_default_timeout(1000 * PATIENCE)
        self.context.set_offline(True)
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self) -> Any:
        """The report as a reader finds it."""
        self.requests.clear()
        self.complaints.clear()
        self.page.goto(self.report)
        return self.page

    def check(self) -> None:
        """Whatever a test did, the page asked for nothing but itself and complained of nothing."""
        asked = {url.partition("#")[0] for url in self.requests if not url.startswith("data:")}
        assert (asked, self.complaints) == ({self.report}, [])


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[OpenPage]:
    """Open the report anew; arguments are those of a browser context, such as ``color_scheme``."""
    tabs = []

    def open_one(**options: Any) -> Any:
        tabs.append(Tab(browser, report, **options))
        return tabs[-1].open()

    yield open_one
    for tab in tabs:
        tab.check()
        tab.context.close()


@pytest.fixture(scope="session")
def _tab(browser: Any, report: Path) -> Iterator[Tab]:
    tab = Tab(browser, report)
    yield tab
    tab.context.close()


@pytest.fixture
def page(_tab: Tab) -> Iterator[Any]:
    """The report on a wide screen; tests that change theme or medium open a page of their own."""
    yield _tab.open()
    _tab.check()
