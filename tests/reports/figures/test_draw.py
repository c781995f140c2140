"""What all figures share: safe bytes, sealed artefacts, looks, faults of a spec."""

import ast
import hashlib
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import msgspec
import pytest

import reports.figures
from reports.figures.artefacts import read_artefact
from reports.figures.axes import plain
from reports.figures.draw import draw
from reports.figures.drawn import Drawn, Missing
from reports.figures.spec import (
    Course,
    Curves,
    Figure,
    GridRow,
    Grids,
    Level,
    Lines,
    LineSeries,
    Mark,
    Panel,
    Scatter,
    Series,
    Tradeoff,
    TradeoffPanel,
    Values,
    faults,
)
from reports.figures.style import LOOKS, looks
from reports.records import Record, RecordError, folder_of, load_all, write
from tests.processes import environment

MakeRecord = Callable[..., Record]

WORTH = Values(["key"], "test_accuracy")
AWKWARD = "$a_b$ <i>&x^2\\"
TWO_PROCESSES = """
import hashlib, sys
from pathlib import Path
import msgspec
from reports.figures.draw import draw
from reports.figures.spec import Figure
from reports.records import load_all
runs = Path(sys.argv[1])
for figure in msgspec.json.decode((runs / "figures.json").read_bytes(), type=list[Figure]):
    drawn = draw(figure, load_all(runs), runs)
    print(hashlib.sha256(drawn.png + drawn.svg + drawn.pdf).hexdigest())
"""


def put(runs: Path, record: Record, **files: str) -> Record:
    """Write CSV files (``losses`` is losses.csv) and the record that seals them."""
    data = {f"{name}.csv": text.encode() for name, text in files.items()}
    sealed = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    record = msgspec.structs.replace(record, artefacts=sealed)
    write(folder_of(runs, record), record)
    for name, content in data.items():
        (folder_of(runs, record) / name).write_bytes(content)
    return record


@pytest.fixture
def figures(tmp_path: Path, new_record: MakeRecord) -> list[Figure]:
    """One of each type but grids, with awkward labels; their records are under ``tmp_path``."""
    points = [
        f"{s},{name},{i % 7},{i % 5}" for s in ("b1", "$b_2$") for i, name in enumerate("abc")
    ]
    course = [f"{i},{5 / (i + 1)}" for i in range(60)]
    put(
        tmp_path,
        new_record("key", 0.9),
        losses="\n".join(["iteration,ce", *course]),
        embedding="\n".join(["stage,set,x,y", *points]),
    )
    about = ("Title " + AWKWARD, "caption")
    return [
        Curves("c", *about, [Panel(AWKWARD, "ce", log=True)], [Series(AWKWARD, "key")]),
        Scatter("s", *about, "key", names={"a": AWKWARD}),
        Lines(
            "l",
            *about,
            AWKWARD,
            "y",
            [1, 2],
            [LineSeries(AWKWARD, [["key"], ["key"]], "test_accuracy")],
            [Level("level", ["key"], "test_accuracy")],
        ),
        Tradeoff(
            "t",
            *about,
            AWKWARD,
            [TradeoffPanel(AWKWARD, [Course(AWKWARD, [WORTH], [WORTH])])],
            [Mark(AWKWARD, WORTH)],
            2000.0,
        ),
    ]


def test_the_same_bytes_in_this_process_and_in_another(
    figures: list[Figure], tmp_path: Path
) -> None:
    (tmp_path / "figures.json").write_bytes(msgspec.json.encode(figures))
    records = load_all(tmp_path)
    here = [drawn(figure, records, tmp_path) for figure in figures]
    assert here == [drawn(figure, records, tmp_path) for figure in figures]
    done = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(PYTHONHASHSEED="7", TZ="Asia/Tokyo"),
    )
    there = [hashlib.sha256(d.png + d.svg + d.pdf).hexdigest() for d in here]
    assert done.stdout.split() == there


def drawn(figure: Figure, records: dict[str, Record], runs: Path) -> Drawn:
    result = draw(figure, records, runs)
    assert isinstance(result, Drawn)
    return result


def test_names_are_drawn_as_they_are_and_no_date_is_named(
    figures: list[Figure], tmp_path: Path
) -> None:
    records = load_all(tmp_path)
    for figure in figures:
        result = drawn(figure, records, tmp_path)
        assert result.png.startswith(b"\x89PNG\r\n\x1a\n")
        assert result.pdf.startswith(b"%PDF-")
        assert b"CreationDate" not in result.pdf
        svg = result.svg.decode()
        assert "<dc:date" not in svg
        assert ">$a_b$ &lt;i&gt;&amp;x^2\\</text>" in svg
        assert "<i>" not in svg


def test_nothing_of_the_callers_settings_changes_or_counts(
    figures: list[Figure], tmp_path: Path
) -> None:
    records = load_all(tmp_path)
    first = drawn(figures[0], records, tmp_path)
    with matplotlib.rc_context({"font.size": 20, "axes.linewidth": 9, "svg.hashsalt": None}):
        before = dict(matplotlib.rcParams)
        assert drawn(figures[0], records, tmp_path) == first
        assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_what_was_not_run_is_missing(figures: list[Figure], tmp_path: Path) -> None:
    grids = Grids("g", "t", "c", ["cat"], [GridRow("DI", "none"), GridRow("NI", "none")], 1)
    for figure in [*figures, grids]:
        result = draw(figure, {}, tmp_path)
        assert isinstance(result, Missing)
        assert result.reason.startswith("not run")


def test_a_figure_survives_json(figures: list[Figure]) -> None:
    text = msgspec.json.encode(figures)
    assert msgspec.json.decode(text, type=list[Figure]) == figures
    assert b'"type":"curves"' in text
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(text.replace(b'"caption"', b'"capture"', 1), type=list[Figure])


@pytest.mark.parametrize(
    ("figure", "fault"),
    [
        (Scatter("../x", "t", "c", "k"), "cannot be the name of a file"),
        (Scatter("x", "t", "c", "k", "../k.csv"), "not a plain file name"),
        (Grids("x", "t", "c", ["a"] * 11, [GridRow("NI", "k")], 1), "11 class names"),
        (Grids("x", "t", "c", ["a"], [GridRow("NI", "k")], 7), "first_rows is 7"),
        (Grids("x", "t", "c", ["a"], [], 1), "no row"),
        (Curves("x", "t", "c", [], [Series("a", "k")]), "no panel"),
        (Curves("x", "t", "c", [Panel("p", "p")], [Series("a", "k")] * 2), "series appears twice"),
        (Lines("x", "t", "c", "x", "y", [2, 1], [LineSeries("a", [[], []], "m")]), "not increas"),
        (Lines("x", "t", "c", "x", "y", [1, 2], [LineSeries("a", [[]], "m")]), "1 points for 2 x"),
        (Tradeoff("x", "t", "c", "x", []), "no panel"),
        (Tradeoff("x", "t", "c", "x", [TradeoffPanel("p", [])]), "no course"),
        (
            Tradeoff("x", "t", "c", "x", [TradeoffPanel("p", [Course("a", [WORTH], [])])]),
            "0 points for 1 x",
        ),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(figure: Figure, fault: str, tmp_path: Path) -> None:
    assert any(fault in found for found in faults(figure))
    with pytest.raises(RecordError, match=f"^{figure.name}: .*{fault}"):
        draw(figure, {}, tmp_path)


def test_an_artefact_must_be_the_one_the_record_sealed(
    tmp_path: Path, new_record: MakeRecord
) -> None:
    record = put(tmp_path, new_record("k"), a="1,2\n")
    path = folder_of(tmp_path, record) / "a.csv"
    assert read_artefact(record, "a.csv", tmp_path) == b"1,2\n"
    path.write_bytes(b"1,3\n")
    with pytest.raises(RecordError, match=r"a\.csv: not the file its record names$"):
        read_artefact(record, "a.csv", tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match=r"a\.csv: missing$"):
        read_artefact(record, "a.csv", tmp_path)
    path.mkdir()
    with pytest.raises(RecordError, match=r"a\.csv: cannot be read"):
        read_artefact(record, "a.csv", tmp_path)
    for file in ("", "..", "../x/record.json", "/etc/passwd"):
        with pytest.raises(RecordError):
            read_artefact(record, file, tmp_path)


def test_methods_look_the_same_everywhere_and_never_alike() -> None:
    names = ["DAFL", "DFAD", "DI", "ADI", "NI", "NI+ADI", "real", "WGAN-GP"]
    assert looks(names) == list(LOOKS.values())
    assert looks(["NI (ours)", "One-to-many", "Di"]) == looks(["NI", "One-to-many", "DI"])
    assert looks(["x", "NI"])[1] == LOOKS["ni"]
    assert looks(["One-to-many"]) == looks(["NI", "DI", "One-to-many"])[2:]
    many = looks([*names, "NI (again)", *(f"method {i}" for i in range(6))])
    for one, other in itertools.combinations(many[:14], 2):
        assert one.colour != other.colour
        assert (one.marker, one.dash) != (other.marker, other.dash), "alike in grey"
    for one, other in itertools.combinations(many[:8], 2):
        assert one.marker != other.marker
        assert one.dash != other.dash


def test_the_sets_of_figure_4_differ_in_grey() -> None:
    shades = sorted(
        0.299 * red + 0.587 * green + 0.114 * blue
        for red, green, blue in (bytes.fromhex(LOOKS[n].colour[1:]) for n in ("real", "ni", "di"))
    )
    assert min(b - a for a, b in itertools.pairwise(shades)) > 40


def test_labels_lose_control_characters_and_get_lines() -> None:
    assert plain("a\x00b\n c\x1b[0m") == "a b c [0m"
    assert plain("one two three", 7) == "one two\nthree"


def test_the_spec_needs_no_plotting_library() -> None:
    file = Path(reports.figures.__path__[0]) / "spec.py"
    found = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import)]
    assert {alias.name for node in found for alias in node.names} <= {"itertools", "re", "msgspec"}
