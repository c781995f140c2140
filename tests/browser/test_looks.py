"""Light, dark, narrow, printed and without scripts."""

from collections.abc import Callable
from typing import Any

import pytest

OpenPage = Callable[..., Any]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def brightness(page: Any) -> float:
    """0 for black, 255 for white."""
    colour = page.evaluate(BACKGROUND)
    parts = [float(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    return sum(parts) / 3


def test_the_theme_can_be_chosen_and_is_remembered(open_page: OpenPage) -> None:
    page = open_page()
    button = page.locator("#theme")
    assert button.inner_text() == "Theme: auto"
    assert brightness(page) > 200
    button.focus()
    page.keyboard.press("Enter")
    assert button.inner_text() == "Theme: light"
    page.keyboard.press("Space")
    assert button.inner_text() == "Theme: dark"
    assert brightness(page) < 60
    page.reload()
    assert page.locator("#theme").inner_text() == "Theme: dark"
    assert brightness(page) < 60


def test_dark_where_the_reader_prefers_it_with_figures_on_white(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    assert brightness(page) < 60
    behind = page.locator("main img").evaluate_all(
        "all => all.map((image) => getComputedStyle(image).backgroundColor)"
    )
    assert set(behind) == {"rgb(255, 255, 255)"}
    page.locator("#theme").click()
    assert brightness(page) > 200


@pytest.mark.parametrize("width", [1280, 375])
def test_no_page_scrolls_sideways_its_tables_do(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wider = page.locator(".scroll").evaluate_all(
        "all => all.some((one) => one.scrollWidth > one.clientWidth)"
    )
    assert wider or width > 1000


def test_pictures_are_there_and_have_words(page: Any) -> None:
    images = page.locator("main img")
    assert images.count() == 6  # two figures, and four pictures, one of them twice
    assert all(text.strip() for text in images.evaluate_all("all => all.map((one) => one.alt)"))
    loaded = "all => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth)))"
    assert all(width > 0 for width in images.evaluate_all(loaded))
    assert page.get_by_text("losses.csv: missing").is_visible()


def test_paper_has_no_controls(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print")
    assert brightness(page) == 255
    controls = "nav, form, select, input, #theme, #unfold, .skip, #tip, dialog, summary"
    assert page.locator(controls).locator("visible=true").count() == 0
    arrows = page.locator("th button:visible").evaluate_all(
        "all => all.map((button) => getComputedStyle(button, '::after').content)"
    )
    assert set(arrows) == {"none"}
    assert page.locator(".results .mean:visible").count() > 10
    assert page.get_by_text("losses.csv: missing").is_visible()


def test_an_opened_number_table_is_printed(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#table5-demo-digits-2 .numbers summary").click()
    page.emulate_media(media="print")
    assert page.locator("#table5-demo-digits-2 .numbers table").is_visible()
    assert not page.locator("#table4-mini-cifar10-1 .numbers table").is_visible()


def test_without_scripts_all_numbers_can_be_read(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".results .mean:visible").count() > 10
    assert page.locator("#record-100000000000 summary").is_visible()
    for control in ("#filters", "#verdicts", "#theme", "#unfold"):
        assert not page.locator(control).is_visible()
