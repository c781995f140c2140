"""A report in a real browser, opened as a file, offline, and held to what every page must keep.

Chromium is not a Python package: without one these tests are skipped.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.render import render
from tests.browser.report_files import write_runs

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is missing: make setup installs it"
)

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
    return render(folder / "runs", folder / "out", protocol={}).page


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[OpenPage]:
    """Open the report; arguments are those of a browser context, such as ``color_scheme``.

    Whatever a test does, the page must ask for nothing but itself and complain of nothing.
    """
    contexts, requests, complaints = [], [], []

    def open_one(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(5000)
        context.set_offline(True)
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(report.as_uri())
        return page

    yield open_one
    for context in contexts:
        context.close()
    outside = [url for url in requests if not url.startswith(("file:", "data:"))]
    assert (outside, complaints) == ([], [])
    assert {url.partition("#")[0] for url in requests if url.startswith("file:")} <= {
        report.as_uri()
    }


@pytest.fixture
def page(open_page: OpenPage) -> Any:
    """The report on a wide screen, in light."""
    return open_page()
