"""The page: one file, every link lands, names cannot run as code, pictures are the records' own."""

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from reports import records as store
from reports import views
from reports.page import render_page
from reports.records import Record, RecordError
from reports.render import render
from reports.views import View, ViewCell

MakeRecord = Callable[..., Record]
MakeView = Callable[..., View]


class Page(HTMLParser):
    """What the tests look for in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def rendered(runs: Path) -> str:
    return render(runs, runs.parent / "out").page.read_text()


def test_all_files_are_written_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    result = render(runs, tmp_path / "out")
    names = {"table5-demo-digits.md", "table5-demo-digits.csv", "table5-demo-digits.tex"}
    assert {path.name for path in result.paths} == names | {"report.html"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {"report.html"}
    assert result.markdown == (tmp_path / "out" / "table5-demo-digits.md").read_text()
    assert "**90.10 ± 0.10**" in result.markdown


def test_the_same_records_make_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in render(runs, tmp_path / "a").paths]
    assert first == [path.read_bytes() for path in render(runs, tmp_path / "b").paths]


def test_only_the_views_asked_for(runs: Path, tmp_path: Path) -> None:
    view = views.read(runs / "views" / "table5-demo-digits.json")
    other = tmp_path / "elsewhere" / "compare-demo-digits.json"
    views.write(other, msgspec.structs.replace(view, table="compare"))
    result = render(runs, tmp_path / "out", [other])
    assert result.paths[0].name == "compare-demo-digits.md"
    assert len(result.paths) == 4


def test_without_a_view_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no view to report"):
        render(tmp_path, tmp_path / "out")


def test_a_broken_record_changes_nothing_in_the_output(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = [path.read_bytes() for path in render(runs, out).paths]
    next(runs.glob("student/*/record.json")).write_text('{"schema": 1,')
    with pytest.raises(RecordError, match="truncated"):
        render(runs, out)
    assert before == [path.read_bytes() for path in map(out.joinpath, _names(out))]


def _names(out: Path) -> list[str]:
    suffixes = [".md", ".csv", ".tex"]
    return [*(f"table5-demo-digits{suffix}" for suffix in suffixes), "report.html"]


def test_the_page_needs_nothing_from_outside(runs: Path) -> None:
    html = rendered(runs)
    page = Page(html)
    assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]", html)
    assert page.all("script") == [{}]
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert all(source.startswith("data:image/png;base64,") for source in page.values("src"))
    assert "url(" not in html
    assert "@import" not in html


def test_every_link_lands(runs: Path) -> None:
    page = Page(rendered(runs))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [attrs["href"] for attrs in page.all("a")]
    assert all(target.startswith("#") for target in targets)
    assert {target[1:] for target in targets} <= set(ids)


def test_each_number_leads_to_its_seeds_and_each_seed_to_its_record(runs: Path) -> None:
    html = rendered(runs)
    numbers = [attrs for attrs in Page(html).all("a") if "data-tip" in attrs]
    assert len(numbers) == 2
    for number, method in zip(numbers, ("di", "ni"), strict=True):
        row = html.split(f'<tr id="{number["href"][1:]}"')[1].split("</tr>")[0]
        assert re.findall(r'href="#record-(\w+)"', row) == [f"{method}{s:010d}" for s in range(3)]


def test_a_record_shows_recipe_seed_inputs_cost_versions_device_and_commit(runs: Path) -> None:
    html = rendered(runs)
    shown = html.split('id="record-di0000000000"')[1].split("</details>")[0]
    for text in ("epochs", "#record-aaaaaaaaaaaa", "12.5 s", "300 MB", "torch 2.15.0", "cpu"):
        assert text in shown
    assert "0123456789abcdef" in shown


def test_costs_are_listed_for_inputs_too(runs: Path) -> None:
    costs = rendered(runs).split('id="costs"')[1].split("</section>")[0]
    assert costs.count("<tr data-methods") == 7
    assert "7 cells, 1 min 28 s of work" in costs


def test_names_cannot_run_as_code(
    tmp_path: Path, new_view: MakeView, new_record: MakeRecord
) -> None:
    evil = "<script>alert(1)</script>\"'&"
    record = new_record(
        "k",
        label=evil.replace("/", ""),
        recipe={"images": evil, evil: evil},
        metrics={"test_accuracy": 0.5, evil: evil},
        notes=[evil],
    )
    view = new_view(
        {evil: ViewCell(["k"], 1.0, footnote="f")},
        title=evil,
        caption=evil,
        scale=evil,
        dataset=evil,
        published_dataset=evil,
        footnotes={"f": evil},
        pictures=[views.Picture(evil, evil, "k", "grid.png")],
    )
    html = render_page([view], {"k": record}, tmp_path)
    page = Page(html)
    assert page.all("script") == [{}]
    assert "<script>alert" not in html
    assert evil in page.text
    known = {"data-tip", "data-method", "data-methods", "data-section", "data-sections", "id"}
    assert evil in page.values("data-method")
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert known & {name for _, attrs in page.tags for name in attrs} == known


def test_only_the_page_s_own_script_and_style_may_run(runs: Path) -> None:
    html = rendered(runs)
    policy = Page(html).all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("script", "style"):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(body) == 1
        digest = base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_tables_are_readable_by_a_screen_reader(runs: Path) -> None:
    html = rendered(runs)
    page = Page(html)
    assert html.count("<caption>") == len(page.all("table")) > 0
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert page.all("html") == [{"lang": "en"}]
    assert "(best)" in page.text
    assert "(second best)" in page.text


def test_not_run_is_said_and_dashed(tmp_path: Path, new_view: MakeView) -> None:
    view = new_view({"DI": ViewCell(["gone"], 83.49, True)})
    page = Page(render_page([view], {}, tmp_path))
    assert "not run" in page.text
    assert "—" in page.text
    assert "83.49*" in page.text
    assert "0.00" not in page.text


def test_the_picture_is_inside_the_page(runs: Path, png: bytes) -> None:
    sources = Page(rendered(runs)).values("src")
    assert sources == ["data:image/png;base64," + base64.b64encode(png).decode()]


@pytest.mark.parametrize("fault", ["missing", "changed", "text", "record"])
def test_a_picture_that_is_not_the_record_s_is_not_shown(runs: Path, fault: str) -> None:
    folder = next(runs.glob("synthesis/*"))
    record = store.read(folder / "record.json")
    picture = folder / "grid.png"
    if fault == "missing":
        picture.unlink()
        reason = "No such file"
    elif fault == "changed":
        store.write(folder, msgspec.structs.replace(record, artefacts={"grid.png": "0" * 64}))
        reason = "is not the file its record names"
    elif fault == "text":
        picture.write_text("<svg onload=alert(1)>")
        reason = "is not a PNG"
    else:
        (folder / "record.json").unlink()
        reason = "not run"
    html = rendered(runs)
    assert reason in html
    assert Page(html).values("src") == []


def test_another_data_set_is_a_warning_on_the_page(tmp_path: Path, new_view: MakeView) -> None:
    cells = {"DI": ViewCell([""], 83.49)}
    assert 'class="warning"' in render_page([new_view(cells)], {}, tmp_path)
    same = render_page([new_view(cells, dataset="cifar10")], {}, tmp_path)
    assert 'class="warning"' not in same


def test_reports_load_neither_torch_nor_the_other_packages() -> None:
    code = (
        "import sys, reports.render\n"
        "ours = {'torch', 'naturalinversion', 'baselines', 'benchmarks'}\n"
        "print(*sorted(ours & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
