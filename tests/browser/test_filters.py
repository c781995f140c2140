"""Filters: data set, scale, method as a column and as a row, verdict; and back to everything."""

from typing import Any

from tests.browser.waiting import until

COLUMNS = "#table5-demo-digits-2"  # methods are its columns
ROWS = "#table4-mini-cifar10-1"  # methods are its rows
OTHER = "#compare-demo-script-window-hacked-1-script-3"


def shown(page: Any, selector: str) -> list[bool]:
    return (
        [page.locator(one).is_visible() for one in (ROWS, COLUMNS, OTHER)]
        if not selector
        else [element.is_visible() for element in page.locator(selector).all()]
    )


def method(page: Any, name: str) -> Any:
    return page.locator("#filters").get_by_role("checkbox", name=name, exact=True)


def test_by_data_set_and_by_scale(page: Any) -> None:
    assert shown(page, "") == [True, True, True]
    page.get_by_label("Data set").select_option("cifar10")
    assert shown(page, "") == [True, False, False]
    assert page.get_by_role("link", name="Table 4: pyramids").is_visible()
    assert not page.get_by_role("link", name="Table 5: students").is_visible()
    assert page.locator("#shown").text_content().startswith("1 of 3 tables")
    page.get_by_label("Scale").select_option("demo")
    assert shown(page, "") == [False, False, False]
    assert page.get_by_text("No table fits this filter.").is_visible()
    page.get_by_label("Data set").select_option("digits")
    assert shown(page, "") == [False, True, False]
    page.get_by_role("button", name="Show all").click()
    page.locator(ROWS).wait_for(state="visible")  # drawn a moment later where a machine is busy
    assert shown(page, "") == [True, True, True]


def test_costs_and_records_follow_the_tables(page: Any) -> None:
    page.get_by_label("Scale").select_option("mini")
    assert page.locator("#record-f00000000000").is_visible()
    assert page.locator("#record-aa0000000000").is_visible()  # DI's images are in Table 4 too
    assert not page.locator("#record-200000000000").is_visible()
    assert page.locator("#costs tbody tr:visible").count() == 10


def test_a_method_that_is_a_column(page: Any) -> None:
    page.locator(f"{COLUMNS} .numbers summary").click()
    method(page, "NI").click()
    heads = page.locator(f"{COLUMNS} .results thead th:visible")
    assert [text.split("\n")[0] for text in heads.all_inner_texts()] == [
        "Teacher",
        "Student",
        "T.",
        "DI",
    ]
    assert page.locator(f"{COLUMNS} .results tbody tr:first-child td:visible").count() == 2
    assert page.locator(f"{COLUMNS} .numbers tbody tr:visible").count() == 6
    pictures = page.locator(f"{COLUMNS} .pictures figure:visible")
    assert pictures.get_by_role("img").evaluate_all("all => all.map((one) => one.alt)") == [
        "DI: one column per class"
    ]


def test_a_method_that_is_a_row(page: Any) -> None:
    page.locator(f"{ROWS} .numbers summary").click()
    method(page, "NI").click()
    assert page.locator(f"{ROWS} .results tbody th:visible").all_text_contents() == ["DI", "Real"]
    assert page.locator(f"{ROWS} .numbers tbody tr:visible").count() == 4


def test_records_of_a_method_follow_it_and_baselines_stay(page: Any) -> None:
    method(page, "NI").click()
    assert not page.locator("#record-200000000000").is_visible()
    assert page.locator("#record-100000000000").is_visible()
    assert page.locator("#record-000000000000").is_visible()


def test_a_table_without_any_of_its_methods_is_hidden(page: Any) -> None:
    method(page, "DI").click()
    method(page, "NI").click()
    assert shown(page, "") == [False, False, True]


def test_a_filter_holds_while_a_table_is_sorted(page: Any) -> None:
    method(page, "NI").click()
    page.locator(f"{ROWS} .results").get_by_role("button", name="FID", exact=True).click()
    assert page.locator(f"{ROWS} .results tbody th:visible").all_text_contents() == ["DI", "Real"]


def test_claims_by_verdict_and_by_the_pages_filters(page: Any) -> None:
    rows = page.locator("#claims tbody tr:visible")
    verdicts = page.locator("#verdicts")
    assert rows.count() == 190
    verdicts.get_by_role("checkbox", name="not run").click()
    left = rows.count()
    assert 0 < left < 190
    assert page.locator("#claims-shown").text_content() == f"{left} of 190 claims"
    method(page, "NI").click()
    assert 0 < rows.count() < left


def test_a_link_into_what_a_filter_hides_shows_everything_again(page: Any) -> None:
    method(page, "DI").click()
    page.evaluate("location.hash = '#record-100000000000'")
    until(page, "document.activeElement.closest('#record-100000000000')")
    assert method(page, "DI").is_checked()
