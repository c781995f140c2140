"""Sorting: by mouse and by keyboard, and what was not run comes last either way."""

from typing import Any


def column(page: Any, place: int) -> list[str]:
    """The means shown in a column of Table 5, top down."""
    return page.locator(
        f"#table5-demo-digits-2 .results tbody tr td:nth-of-type({place})"
    ).evaluate_all(
        "cells => cells.map((cell) => cell.querySelector('.mean, [aria-hidden]').textContent)"
    )


def head(page: Any, title: str) -> Any:
    return page.locator(
        "#table5-demo-digits-2 .results th", has=page.get_by_role("button", name=title, exact=True)
    )


def test_a_click_sorts_down_then_up_then_as_it_was(page: Any) -> None:
    original = column(page, 3)
    assert head(page, "NI").get_attribute("aria-sort") == "none"
    button = head(page, "NI").get_by_role("button")
    button.click()
    assert head(page, "NI").get_attribute("aria-sort") == "descending"
    assert column(page, 3) == sorted(original, reverse=True)
    button.click()
    assert head(page, "NI").get_attribute("aria-sort") == "ascending"
    assert column(page, 3) == sorted(original)
    button.click()
    assert head(page, "NI").get_attribute("aria-sort") == "none"
    assert column(page, 3) == original


def test_enter_and_space_sort(page: Any) -> None:
    button = head(page, "Student").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert head(page, "Student").get_attribute("aria-sort") == "ascending"
    rows = page.locator("#table5-demo-digits-2 .results tbody tr th:nth-of-type(2)")
    assert rows.all_text_contents() == ["MobileNetV2", "ResNet-18", "VGG-11"]
    page.keyboard.press("Space")
    assert head(page, "Student").get_attribute("aria-sort") == "descending"
    assert rows.all_text_contents() == ["VGG-11", "ResNet-18", "MobileNetV2"]


def test_what_was_not_run_is_last_either_way(page: Any) -> None:
    button = head(page, "DI").get_by_role("button")
    for _ in range(2):
        button.click()
        assert column(page, 2)[-1] == "—"


def test_one_column_at_a_time_says_that_it_sorts(page: Any) -> None:
    head(page, "DI").get_by_role("button").click()
    head(page, "NI").get_by_role("button").click()
    sorted_heads = page.locator("#table5-demo-digits-2 .results th[aria-sort='descending']")
    assert sorted_heads.count() == 1


def test_numbers_costs_and_claims_sort_too(page: Any) -> None:
    page.locator("#claims").get_by_role("button", name="Published", exact=True).click()
    shown = page.locator("#claims tbody tr td:nth-of-type(3)").evaluate_all(
        "cells => cells.map((cell) => Number(cell.dataset.sort))"
    )
    assert len(shown) == 190
    assert shown == sorted(shown, reverse=True)
    button = page.locator("#costs").get_by_role("button", name="Run", exact=True)
    button.click()
    names = page.locator("#costs tbody th").all_text_contents()
    assert names == sorted(names, key=str.casefold)
