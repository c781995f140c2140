"""Rendering: which files are written, the same bytes every time, and all of them or none."""

from pathlib import Path

import msgspec
import pytest

from reports import records as store
from reports.figures.spec import Figure, Lines, LineSeries, Scatter
from reports.records import RecordError
from reports.report import render
from reports.tables import layout
from reports.tables.layout import View

NAME = "table5-demo-digits"
FORMATS = (".png", ".svg", ".pdf")


def test_all_files_are_written_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    result = render(runs, tmp_path / "out")
    names = {f"{NAME}.md", f"{NAME}.csv", f"{NAME}.tex", f"{NAME}-cost.csv"}
    assert {path.name for path in result.paths} == names | {"report.html"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {"report.html"}
    assert result.markdown == (tmp_path / "out" / f"{NAME}.md").read_text()
    assert "**90.10 ± 0.10**" in result.markdown


def test_the_same_records_make_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in render(runs, tmp_path / "a").paths]
    assert first == [path.read_bytes() for path in render(runs, tmp_path / "b").paths]


def test_only_the_views_asked_for(runs: Path, tmp_path: Path) -> None:
    view = layout.read(runs / "views" / "table5-demo-digits.json")
    other = tmp_path / "elsewhere" / "compare-demo-digits.json"
    layout.write(other, msgspec.structs.replace(view, table="compare"))
    result = render(runs, tmp_path / "out", [other])
    assert result.paths[0].name == "compare-demo-digits.md"
    assert len(result.paths) == 5


def test_without_a_view_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no view to report"):
        render(tmp_path, tmp_path / "out")


def test_a_broken_record_changes_nothing_in_the_output(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in render(runs, out).paths}
    next(runs.glob("student/*/record.json")).write_text('{"schema": 1,')
    with pytest.raises(RecordError, match="truncated"):
        render(runs, out)
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def with_figures(runs: Path, *figures: Figure, **changes: object) -> View:
    """The runs folder's view with figures, written in its place."""
    path = runs / "views" / f"{NAME}.json"
    view = msgspec.structs.replace(layout.read(path), figures=list(figures), **changes)
    layout.write(path, view)
    return view


def lines(name: str, *keys: str) -> Lines:
    series = LineSeries("NI", [list(keys)], "test_accuracy")
    return Lines(name, f"Title of {name}", "Caption.", "part", "accuracy", [0.5], [series])


def test_figures_are_written_beside_the_tables_and_named_in_the_markdown(
    runs: Path, tmp_path: Path
) -> None:
    with_figures(runs, lines("table5", "ni0000000000"), lines("more", "ni0000000001"))
    result = render(runs, tmp_path / "out")
    # The figure called as its table takes the table's name, not table5-demo-digits-table5.
    for stem in (NAME, f"{NAME}-more"):
        for suffix in FORMATS:
            assert (tmp_path / "out" / f"{stem}{suffix}") in result.paths
            assert (tmp_path / "out" / f"{stem}{suffix}").stat().st_size > 0
    assert f"![Title of table5]({NAME}.png) Caption. ({NAME}.svg, {NAME}.pdf)" in result.markdown
    assert f"![Title of more]({NAME}-more.png)" in result.markdown
    again = render(runs, tmp_path / "again")
    assert [p.read_bytes() for p in result.paths] == [p.read_bytes() for p in again.paths]


def test_a_figure_of_which_nothing_was_run_says_so_and_has_no_file(
    runs: Path, tmp_path: Path
) -> None:
    with_figures(runs, lines("more", "gone"))
    result = render(runs, tmp_path / "out")
    assert "- Figure: Title of more: not run: NI." in result.markdown
    assert not [path for path in result.paths if path.suffix in FORMATS]


def test_a_figure_of_a_damaged_file_is_not_drawn_and_says_why(runs: Path, tmp_path: Path) -> None:
    folder = next(runs.glob("synthesis/*"))
    record = store.read(folder / "record.json")
    sealed = {"embedding.csv": "0" * 64}
    store.write(folder, msgspec.structs.replace(record, artefacts=sealed))
    (folder / "embedding.csv").write_text("stage,set,x,y\na,DI,0,0\n")
    with_figures(runs, Scatter("more", "Features", "Caption.", record.key))
    result = render(runs, tmp_path / "out")
    reason = "synthesis/di-images-aaaaaaaaaaaa/embedding.csv: not the file its record names"
    assert f"not drawn: {reason}".replace("_", "\\_") in result.markdown
    assert str(runs) not in result.page.read_text()
    assert "**90.10 ± 0.10**" in result.markdown  # the table still stands


def test_a_title_cannot_break_out_of_the_markdown(runs: Path, tmp_path: Path) -> None:
    figure = msgspec.structs.replace(lines("more", "ni0000000000"), title="](x) [a *b*\n# c")
    with_figures(runs, figure)
    line = next(t for t in render(runs, tmp_path / "out").markdown.splitlines() if t[:1] == "!")
    assert line.startswith(f"![\\](x) \\[a \\*b\\* # c]({NAME}-more.png)")


def test_figures_of_two_views_never_overwrite_each_other(runs: Path, tmp_path: Path) -> None:
    view = with_figures(runs, lines("a-b", "ni0000000000"))
    other = msgspec.structs.replace(view, table="t", figures=[lines("b", "ni0000000000")])
    layout.write(runs / "views" / f"{NAME}-a.json", other)
    with pytest.raises(RecordError, match=r"a-b\.png would overwrite"):
        render(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_that_cannot_be_made_leaves_nothing_of_the_others(
    runs: Path, tmp_path: Path
) -> None:
    view = with_figures(runs, lines("more", "ni0000000000"))
    column = msgspec.structs.replace(view.columns[0], metric="nowhere")
    layout.write(
        runs / "views" / "z.json",
        msgspec.structs.replace(view, table="z", columns=[column, view.columns[1]], figures=[]),
    )
    with pytest.raises(RecordError, match="no number 'nowhere'"):
        render(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_with_the_protocol_the_page_has_the_claims(runs: Path, tmp_path: Path) -> None:
    assert 'id="claims"' not in render(runs, tmp_path / "out").page.read_text()
    page = render(runs, tmp_path / "out", protocol={}).page.read_text()
    assert 'id="claims"' in page
    assert page.count("data-verdict=") == 190
