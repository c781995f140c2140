"""Names stay names, whoever chose them; and the policy stops what is not the page's own."""

from typing import Any

from tests.browser.report_files import EVIL


def test_names_that_look_like_code_stay_text(page: Any) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.get_by_role("heading", name=EVIL).is_visible()
    box = page.get_by_role("checkbox", name=EVIL)
    box.click()
    assert not page.get_by_role("heading", name=EVIL).is_visible()
    box.click()
    page.get_by_label("Data set").select_option(EVIL)
    assert page.get_by_role("heading", name=EVIL).is_visible()
    number = page.locator("a[data-tip]:visible").first
    number.hover()
    assert EVIL in page.get_by_role("tooltip").inner_text()
    number.click()
    page.locator("tr:focus a[href^='#record']").click()
    assert EVIL in page.locator("#record-ee0000000000").inner_text()
    page.locator(".zoom:visible").first.click()
    assert EVIL in page.get_by_role("dialog").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 1


def test_a_script_that_got_in_would_not_run(browser: Any, report: Any, tmp_path: Any) -> None:
    broken = tmp_path / "report.html"
    insert = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'><main"
    broken.write_text(report.read_text().replace("<main", insert, 1))
    page = browser.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(broken.as_uri())
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in refused)
    page.close()
