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


def test_no_page_scrolls_sideways_its_tables_do(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 1280, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.locator(".scroll").evaluate_all(
        "all => all.some((one) => one.scrollWidth > one.clientWidth)"
    )


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


PHONE = {"width": 390, "height": 844}
SCROLL = "(region) => { region.scrollLeft = region.scrollWidth; }"


def test_on_a_phone_the_columns_that_name_rows_stay_while_a_table_scrolls(
    open_page: OpenPage,
) -> None:
    page = open_page(viewport=PHONE)
    region = page.locator(".scroll", has=page.locator("table.results")).nth(1)
    region.scroll_into_view_if_needed()
    before = region.locator("tbody tr").first.locator(".stay").first.bounding_box()
    region.evaluate(SCROLL)
    assert region.evaluate("(one) => one.scrollLeft") > 50, "it has to scroll"
    outer = region.bounding_box()
    stays = region.locator("tbody tr").first.locator(".stay")
    assert stays.count() >= 1
    right = outer["x"]
    for place in range(stays.count()):
        box = stays.nth(place).bounding_box()
        assert box["x"] == pytest.approx(right, abs=2), "side by side at the left edge"
        right = box["x"] + box["width"]
    assert right - outer["x"] < 0.65 * outer["width"], "numbers have room beside them"
    assert stays.first.bounding_box()["x"] <= before["x"] + 1
    last = region.locator("tbody tr").first.locator("td").last.bounding_box()
    assert last["x"] + last["width"] <= outer["x"] + outer["width"] + 1
    assert last["x"] >= right - 1, "the last number is not below the names"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_table_shows_that_it_scrolls_and_in_which_direction(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    region = page.locator(".scroll", has=page.locator("table.results")).nth(1)
    hint = region.locator("xpath=preceding-sibling::p[1]")
    assert "scroll it sideways" in hint.inner_text()
    assert region.evaluate("(one) => one.className").split() == ["scroll", "right"]
    region.evaluate(SCROLL)
    page.wait_for_function("() => document.querySelectorAll('.scroll.left:not(.right)').length > 0")
    wide = open_page(viewport={"width": 1600, "height": 900})
    table = wide.locator(".scroll", has=wide.locator("table.results")).nth(1)
    assert not table.locator("xpath=preceding-sibling::p[1]").is_visible()
    assert table.evaluate("(one) => one.className") == "scroll"


def test_on_paper_claims_that_were_not_run_are_a_number_not_a_list(open_page: OpenPage) -> None:
    page = open_page()
    unseen, seen = (
        page.locator(f"#claims tr{rule}")
        for rule in ('[data-verdict="not run"]', '[data-verdict]:not([data-verdict="not run"])')
    )
    count, others = unseen.count(), seen.count()
    assert count > 100
    assert others > 0
    assert not page.locator(".on-paper").is_visible()
    page.emulate_media(media="print")
    assert unseen.locator("visible=true").count() == 0
    assert seen.locator("visible=true").count() == others
    assert page.locator(".on-paper").inner_text().startswith(f"{count} of them were not run")
