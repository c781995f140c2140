"""The report: which files are written, the same bytes every time, and all of them or none."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reports import records as store
from reports.figures import draw
from reports.records import RecordError
from reports.report import write_report
from reports.tables import table_files
from reports.tables.layout import FigureSpec, Table
from tests.processes import ROOT
from tests.reports.makers import make_column

NAME = "table5-demo-digits"
FORMATS = (".png", ".svg", ".pdf")


@pytest.fixture
def png_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures in one format: the others take longest."""
    monkeypatch.setattr(draw, "METADATA", {"png": draw.METADATA["png"]})


def test_all_files_are_written_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    result = write_report(runs, tmp_path / "out")
    names = {f"{NAME}.md", f"{NAME}.csv", f"{NAME}.tex", f"{NAME}-cost.csv"}
    assert {path.name for path in result.paths} == names | {"report.html"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {"report.html"}
    assert result.markdown == (tmp_path / "out" / f"{NAME}.md").read_text()
    assert "**90.09 ± 0.09**" in result.markdown


def test_the_same_records_make_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_report(runs, tmp_path / "a").paths]
    assert first == [path.read_bytes() for path in write_report(runs, tmp_path / "b").paths]


def test_only_the_tables_asked_for(runs: Path, tmp_path: Path) -> None:
    table = table_files.read(runs / "tables" / "table5-demo-digits.json")
    other = tmp_path / "elsewhere" / "compare-demo-digits.json"
    table_files.write(other, msgspec.structs.replace(table, id="compare"))
    result = write_report(runs, tmp_path / "out", [other])
    assert result.paths[0].name == "compare-demo-digits.md"
    assert len(result.paths) == 5


def test_other_tables_stand_on_the_page_and_are_not_printed(runs: Path, tmp_path: Path) -> None:
    """A later command adds to the page what it was asked for, and takes nothing away."""
    path = runs / "tables" / f"{NAME}.json"
    table = table_files.read(path)
    other = runs / "tables" / "compare-demo-digits-di-ni.json"
    table_files.write(
        other, msgspec.structs.replace(table, id="compare", part="di, ni", title="DI beside NI")
    )
    first = write_report(runs, tmp_path / "out", [path])
    result = write_report(runs, tmp_path / "out", [other], others=[path])
    assert result.markdown.startswith("### DI beside NI")
    assert "Table 5" not in result.markdown
    html = result.page.read_text()
    assert "Table 5</h2>" in html
    assert "DI beside NI</h2>" in html
    assert set(first.paths) < set(result.paths)
    again = write_report(runs, tmp_path / "again")
    assert again.page.read_bytes() == result.page.read_bytes(), "as the command report writes it"


def test_another_table_that_can_not_be_made_is_left_out_and_named(
    runs: Path, tmp_path: Path
) -> None:
    path, other = (runs / "tables" / f"{name}.json" for name in (NAME, "old"))
    other.write_text('{"schema": 2}')
    result = write_report(runs, tmp_path / "out", [path], others=[other])
    (line,) = result.left_out
    assert str(other) in line
    with pytest.raises(RecordError):
        write_report(runs, tmp_path / "out", [other])


def test_without_a_table_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no table to report"):
        write_report(tmp_path, tmp_path / "out")


def test_a_broken_record_is_a_number_that_was_not_run(
    runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_report(runs, tmp_path / "out").markdown
    assert "[n=2]" not in whole
    path = next(runs.glob("distillation/*/record.json"))
    path.write_text('{"schema": 1,')
    assert write_report(runs, tmp_path / "out").markdown.count("[n=2]") == 1
    assert [str(path) in line for line in caplog.messages] == [True]


def test_a_record_of_another_version_changes_nothing_in_the_output(
    runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in write_report(runs, out).paths}
    next(runs.glob("distillation/*/record.json")).write_text('{"schema": 99}')
    with pytest.raises(RecordError, match="schema 99 is newer"):
        write_report(runs, out)
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def with_figures(runs: Path, *figures: FigureSpec) -> Table:
    """The runs folder's table with figures, written in its place."""
    path = runs / "tables" / f"{NAME}.json"
    table = table_files.read(path)
    rows = [msgspec.structs.replace(row, x=0.5) for row in table.rows]
    table = msgspec.structs.replace(table, figures=list(figures), rows=rows)
    table_files.write(path, table)
    return table


def lines(name: str = "") -> FigureSpec:
    return FigureSpec(type="lines", name=name, title=f"Title of {name}", caption="Caption.")


def test_figures_are_written_beside_the_tables_and_named_in_the_markdown(
    runs: Path, tmp_path: Path
) -> None:
    with_figures(runs, lines(), lines("more"))
    result = write_report(runs, tmp_path / "out")
    for stem in (NAME, f"{NAME}-more"):
        for suffix in FORMATS:
            assert (tmp_path / "out" / f"{stem}{suffix}") in result.paths
            assert (tmp_path / "out" / f"{stem}{suffix}").stat().st_size > 0
    assert f"![Title of ]({NAME}.png) Caption. ({NAME}.svg, {NAME}.pdf)" in result.markdown
    assert f"![Title of more]({NAME}-more.png)" in result.markdown


def test_a_figure_of_which_nothing_was_run_says_so_and_has_no_file(
    runs: Path, tmp_path: Path
) -> None:
    with_figures(runs, lines("more"))
    for path in runs.glob("distillation/*/record.json"):
        path.unlink()
    result = write_report(runs, tmp_path / "out")
    assert "- Figure: Title of more: not run: DFAD, DI, NI." in result.markdown
    assert not [path for path in result.paths if path.suffix in FORMATS]


def test_a_figure_of_a_damaged_file_is_not_drawn_and_says_why(runs: Path, tmp_path: Path) -> None:
    folder = next(runs.glob("distillation/*-dfad0000000000"))
    record = store.read(folder / "record.json")
    other = {"embedding.csv": "0" * 64}
    store.write(folder, msgspec.structs.replace(record, artefacts=other))
    (folder / "embedding.csv").write_text("stage,set,x,y\na,DI,0,0\n")
    with_figures(runs, FigureSpec(type="scatter", title="Features", caption="Caption."))
    result = write_report(runs, tmp_path / "out")
    reason = f"distillation/{folder.name}/embedding.csv: not the file its record names"
    assert f"not drawn: {reason}".replace("_", "\\_") in result.markdown
    assert str(runs) not in result.page.read_text()
    assert "**90.09 ± 0.09**" in result.markdown  # the table still stands


@pytest.mark.usefixtures("png_alone")
def test_a_title_cannot_break_out_of_the_markdown(runs: Path, tmp_path: Path) -> None:
    figure = msgspec.structs.replace(lines("more"), title="](x) [a *b*\n# c")
    with_figures(runs, figure)
    markdown = write_report(runs, tmp_path / "out").markdown
    line = next(line for line in markdown.splitlines() if line.startswith("!"))
    assert line.startswith(f"![\\](x) \\[a \\*b\\* # c]({NAME}-more.png)")


@pytest.mark.usefixtures("png_alone")
def test_figures_of_two_tables_never_overwrite_each_other(runs: Path, tmp_path: Path) -> None:
    table = with_figures(runs, lines("a-b"))
    other = msgspec.structs.replace(table, id="t", figures=[lines("b")])
    table_files.write(runs / "tables" / f"{NAME}-a.json", other)
    files = table_files.table_files(runs)
    with pytest.raises(RecordError, match=r"a-b\.png would overwrite"):
        write_report(runs, tmp_path / "out", files)
    assert not (tmp_path / "out").exists()
    (line,) = write_report(runs, tmp_path / "out").left_out
    assert "a-b.png would overwrite" in line


@pytest.mark.usefixtures("png_alone")
def test_a_table_that_cannot_be_made_leaves_nothing_of_the_others(
    runs: Path, tmp_path: Path
) -> None:
    table = with_figures(runs, lines("more"))
    columns = [make_column("DI", metric="nowhere"), *table.columns[::2]]
    other = msgspec.structs.replace(table, id="z", columns=columns, figures=[])
    table_files.write(runs / "tables" / "z.json", other)
    files = table_files.table_files(runs)
    with pytest.raises(RecordError, match="no number 'nowhere'"):
        write_report(runs, tmp_path / "out", files)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("png_alone")
def test_of_all_tables_those_that_can_be_made_are(runs: Path, tmp_path: Path) -> None:
    """As the command ``report`` asks for; a folder where none can is an error."""
    whole = write_report(runs, tmp_path / "whole")
    (file,) = table_files.table_files(runs)
    (runs / "tables" / "a.json").write_text("{}")
    result = write_report(runs, tmp_path / "out")
    assert result.markdown == whole.markdown
    assert len(result.left_out) == 1
    file.unlink()
    with pytest.raises(RecordError, match=r"a\.json"):
        write_report(runs, tmp_path / "out")


def test_with_the_protocol_the_page_has_the_claims(runs: Path, tmp_path: Path) -> None:
    assert 'id="claims"' not in write_report(runs, tmp_path / "out").page.read_text()
    page = write_report(runs, tmp_path / "out", protocol={}).page.read_text()
    assert 'id="claims"' in page
    assert page.count("data-verdict=") == 190


def test_reports_load_neither_torch_nor_the_other_packages_nor_what_draws() -> None:
    """A report without a figure needs no plotting library either."""
    code = "import sys, reports.report; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert {"reports", "pandas"} <= loaded
    assert not loaded & {"torch", "naturalinversion", "baselines", "benchmarks"}
    assert not loaded & {"matplotlib", "seaborn"}
