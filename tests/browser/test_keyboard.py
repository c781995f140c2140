"""Everything by keyboard: skip link, from a number to its record and back, zoom, visible focus."""

from typing import Any

from tests.browser.waiting import until

ACTIVE = "document.activeElement"


def focused(page: Any, code: str = "outerHTML") -> Any:
    return page.evaluate(f"{ACTIVE}.{code}")


def test_the_first_stop_skips_to_the_tables(page: Any) -> None:
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the tables")
    assert link.evaluate(f"link => link === {ACTIVE}")
    assert link.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert focused(page, "id") == "main"


def test_from_a_number_to_its_seeds_to_its_record_and_back(page: Any) -> None:
    number = page.locator("#table5-demo-digits-2 a[data-tip]").nth(1)
    number.focus()
    assert (
        page.get_by_role("tooltip")
        .inner_text()
        .startswith("DI, ResNet-34, ResNet-18\nseed 0: 85.00")
    )
    page.keyboard.press("Escape")
    assert not page.get_by_role("tooltip").is_visible()
    page.keyboard.press("Enter")
    until(page, f"{ACTIVE}.tagName === 'TR'")
    assert focused(page, "querySelector('th').textContent") == "DI"
    page.keyboard.press("Tab")
    assert focused(page, "textContent") == "85.00"
    page.keyboard.press("Enter")
    until(page, f"{ACTIVE}.tagName === 'SUMMARY'")
    record = page.locator("#record-100000000000")
    assert record.evaluate("record => record.open")
    for text in ("synthetic_images", "12.5 s", "torch 2.15.0", "0123456789abcdef", "Seed"):
        assert text in record.inner_text()
    page.go_back()
    until(page, f"{ACTIVE}.textContent === '85.00'")
    page.go_back()
    until(page, f"{ACTIVE}.dataset.tip?.startsWith('DI')")


def test_a_link_followed_twice_leads_there_twice(page: Any) -> None:
    link = page.get_by_role("link", name="Costs")
    for _ in range(2):
        page.evaluate("scrollTo(0, 0)")
        link.click()
        until(page, "document.getElementById('costs').getBoundingClientRect().top < 900")


def test_a_picture_is_enlarged_and_escape_gives_the_focus_back(page: Any) -> None:
    for kind in (".drawn", ".pictures"):
        for key in ("Enter", "Space"):
            button = page.locator(f"#table5-demo-digits-2 {kind} .zoom").first
            button.focus()
            page.keyboard.press(key)
            dialog = page.get_by_role("dialog")
            assert dialog.is_visible()
            image = dialog.get_by_role("img")
            assert image.get_attribute("alt") == button.get_by_role("img").get_attribute("alt")
            box = image.bounding_box()
            assert 0 < box["width"] <= 1280
            assert 0 < box["height"] <= 900
            page.keyboard.press("Escape")
            assert not dialog.is_visible()
            assert button.evaluate(f"button => button === {ACTIVE}")


def test_every_control_can_be_reached_and_shows_its_focus(page: Any) -> None:
    reachable = page.evaluate(
        """() => [...document.querySelectorAll("a, button, select, input, summary")]
            .filter((one) => one.checkVisibility()).every((one) => one.tabIndex === 0)"""
    )
    assert reachable
    kinds = ("#filters select", "#filters input", "#theme", "th button", "td a", "summary", ".zoom")
    for kind in (*kinds, ".scroll", "nav a"):
        page.locator(f"{kind}:visible").first.focus()
        page.keyboard.press("Shift")  # focus by script shows as it does by keyboard
        outline = page.evaluate(f"getComputedStyle({ACTIVE}).outlineStyle")
        assert outline != "none", kind


def test_regions_that_scroll_can_be_focused_and_have_names(page: Any) -> None:
    regions = page.locator(".scroll").evaluate_all(
        "all => all.map((one) => [one.tabIndex, one.role, one.ariaLabel])"
    )
    assert len(regions) > 3
    assert all((index, role) == (0, "region") and label for index, role, label in regions)
