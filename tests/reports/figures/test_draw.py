"""What all figures share: safe bytes, styles, and a reason where nothing can be drawn."""

import hashlib
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import msgspec
import pytest

from reports.figures.axes import wrap_label
from reports.figures.draw import RenderedFigure
from reports.figures.style import STYLES, series_styles
from reports.records import load_all
from reports.tables.layout import Table
from tests.processes import environment
from tests.reports.figures.figure_cases import CLASSES, figure, grid_table, rendered, rows_table
from tests.reports.makers import make_record, put

AWKWARD = "$a_b$ <i>&x^2\\"
TWO_PROCESSES = """
import hashlib, sys
from pathlib import Path
import msgspec
from reports.records import load_all
from reports.table_report import make_table_report
from reports.tables.layout import Table
runs = Path(sys.argv[1])
for table in msgspec.json.decode((runs / "tables.json").read_bytes(), type=list[Table]):
    (figure,) = make_table_report(table, load_all(runs), runs).figures
    print(hashlib.sha256(b"".join(figure.files.values())).hexdigest())
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records that the tables are made of."""
    points = [
        f"{s},{name},{i % 7},{i % 5}" for s in ("b1", "$b_2$") for i, name in enumerate("abc")
    ]
    losses = [f"{i},{5 / (i + 1)}" for i in range(60)]
    folder = tmp_path_factory.mktemp("runs")
    put(
        folder,
        make_record("key", 0.9),
        losses_csv="\n".join(["iteration,ce", *losses]),
        embedding_csv="\n".join(["stage,set,x,y", *points, f"b1,{AWKWARD},1,1"]),
    )
    return folder


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    """One for each type of figure but image_grid, awkwardly labelled."""
    about = {"title": f"Title {AWKWARD}", "panels": {"ce": AWKWARD}, "x_label": AWKWARD}
    rows = {AWKWARD: ["key"]}
    table = rows_table(rows, figure("scatter", **about))
    at = [msgspec.structs.replace(row, x=1.0, series=AWKWARD) for row in table.rows]
    tradeoff = about | {"panels": {"c": AWKWARD}, "x": "c", "marks": {AWKWARD: 2000.0}}
    return [
        rows_table(rows, figure("loss_curves", **about)),
        table,
        rows_table(rows, figure("lines", **about), rows=at),
        rows_table(rows, figure("tradeoff", **tradeoff), rows=at),
    ]


@pytest.fixture(scope="module")
def drawn(tables: list[Table], runs: Path) -> list[RenderedFigure]:
    """Their figures."""
    records = load_all(runs)
    return [rendered(table, records, runs) for table in tables]


def test_the_same_bytes_in_this_process_and_in_another(
    drawn: list[RenderedFigure], tables: list[Table], runs: Path
) -> None:
    (runs / "tables.json").write_bytes(msgspec.json.encode(tables))
    here = [list(figure.files.values()) for figure in drawn]
    assert all(here)
    done = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, str(runs)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(PYTHONHASHSEED="7", TZ="Asia/Tokyo"),
    )
    there = [hashlib.sha256(b"".join(files)).hexdigest() for files in here]
    assert done.stdout.split() == there


def test_names_are_drawn_as_they_are_and_no_date_is_named(drawn: list[RenderedFigure]) -> None:
    for found in drawn:
        files = found.files
        assert list(files) == ["t.png", "t.svg", "t.pdf"]
        assert files["t.png"].startswith(b"\x89PNG\r\n\x1a\n")
        assert files["t.pdf"].startswith(b"%PDF-")
        assert b"CreationDate" not in files["t.pdf"]
        svg = files["t.svg"].decode()
        assert "<dc:date" not in svg
        assert "$a_b$ &lt;i&gt;&amp;x^2\\" in svg.split("</metadata>")[1]
        assert "<i>" not in svg


def test_nothing_of_the_callers_settings_changes_or_counts(
    drawn: list[RenderedFigure], tables: list[Table], runs: Path
) -> None:
    with matplotlib.rc_context({"font.size": 20, "axes.linewidth": 9, "svg.hashsalt": None}):
        before = dict(matplotlib.rcParams)
        assert rendered(tables[0], load_all(runs), runs) == drawn[0]
        assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_what_was_not_run_has_a_reason_and_no_files(tables: list[Table], tmp_path: Path) -> None:
    for table in [*tables, grid_table({"DI": "none", "NI": "none"}, 1, CLASSES)]:
        found = rendered(table, {}, tmp_path)
        assert found.files == {}
        assert found.reason.startswith("not run")


def test_a_name_that_no_link_may_hold_is_escaped(tables: list[Table]) -> None:
    """As that of a data set's folder may be."""
    found = msgspec.structs.replace(tables[0].figures[0], caption="")
    drawn = RenderedFigure(found, "my (photos) 1", {"my (photos) 1.png": b"", "x.svg": b""})
    assert "](my%20%28photos%29%201.png)" in drawn.markdown


def test_a_damaged_file_is_a_reason_without_the_folder_it_lies_in(
    tables: list[Table], runs: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs, tmp_path / "runs")
    records = load_all(folder)
    next(folder.glob("*/*/losses.csv")).write_text("iteration,ce\n1,1\n")
    found = rendered(tables[0], records, folder)
    reason = "distillation/student-key-key/losses.csv: not the file its record names"
    assert found.reason == f"not drawn: {reason}"
    assert found.markdown.startswith("- Figure: Title ")


def test_methods_look_the_same_everywhere_and_never_alike() -> None:
    names = ["DAFL", "DFAD", "DI", "ADI", "NI", "NI+ADI", "real", "WGAN-GP"]
    assert series_styles(names) == list(STYLES.values())
    assert series_styles(["NI (ours)", "Other", "Di"]) == series_styles(["NI", "Other", "DI"])
    assert series_styles(["x", "NI"])[1] == STYLES["ni"]
    assert series_styles(["Other"]) == series_styles(["NI", "DI", "Other"])[2:]
    many = series_styles([*names, "NI (again)", *(f"method {i}" for i in range(6))])
    for one, other in itertools.combinations(many[:14], 2):
        assert one.colour != other.colour
        assert (one.marker, one.dash) != (other.marker, other.dash), "alike in grey"
    for one, other in itertools.combinations(many[:8], 2):
        assert one.marker != other.marker
        assert one.dash != other.dash


def test_the_sets_of_figure_4_differ_in_grey() -> None:
    shades = sorted(
        0.299 * red + 0.587 * green + 0.114 * blue
        for red, green, blue in (bytes.fromhex(STYLES[n].colour[1:]) for n in ("real", "ni", "di"))
    )
    assert min(b - a for a, b in itertools.pairwise(shades)) > 40


def test_labels_lose_control_characters_and_get_lines() -> None:
    assert wrap_label("a\x00b\n c\x1b[0m") == "a b c [0m"
    assert wrap_label("one two three", 7) == "one two\nthree"
