"""Tables as files: what is written comes back, what contradicts itself is refused in one line."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports.records import RecordError
from reports.tables import table_files
from reports.tables.layout import FigureSpec, Picture, Table, TableCell
from tests.reports.makers import make_table


def figure(kind: Any, **changes: Any) -> FigureSpec:
    return FigureSpec(type=kind, title="t", caption="c", **changes)


def with_figures(*figures: FigureSpec) -> Table:
    """A table whose row has no place on an axis and which has no pictures."""
    return make_table({"DI": TableCell(["k"])}, figures=list(figures))


def test_a_table_comes_back_in_its_order(tmp_path: Path) -> None:
    table = make_table(
        {"NI": TableCell(["k"], "a/claim"), "DI": TableCell(["l"], metric="fid")},
        figures=[figure("tradeoff", x="NI", panels={"DI": "Title"}, marks={"published": 2000.0})],
    )
    path = tmp_path / "tables" / "t.json"
    table_files.write(path, table)
    assert table_files.read(path) == table
    assert [column.title for column in table_files.read(path).columns] == ["NI", "DI"]
    assert list(table_files.read(path).rows[0].labels) == ["Teacher", "Student"]
    assert table_files.table_files(tmp_path) == [path]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seeds": [0, 1, 2]}, "1 record keys for 3 seeds"),
        ({"seeds": []}, "no seed"),
        ({"columns": []}, "no column"),
        ({"rows": []}, "no row"),
        ({"pictures": [Picture("p", "", "k", "../../secret.png")]}, "plain file name"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    table = msgspec.structs.replace(make_table({"DI": TableCell(["k"])}), **change)
    with pytest.raises(RecordError, match=reason):
        table_files.write(tmp_path / "t.json", table)
    (tmp_path / "t.json").write_bytes(msgspec.json.encode(table))
    with pytest.raises(RecordError, match=reason):
        table_files.read(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (figure("scatter", name="../x"), "cannot be part of a file's name"),
        (figure("image_grid", classes=["a"] * 11), "11 class names"),
        (figure("image_grid", classes=["a"], first_rows=7), "first_rows is 7"),
        (figure("image_grid", classes=["a"]), "has no pictures"),
        (figure("loss_curves"), "no panel"),
        (figure("lines"), "no place on its axis"),
        (figure("lines", levels=["NI"]), "no place on its axis"),
        (figure("tradeoff", x="DI"), "no panel"),
        (figure("tradeoff", x="DI", panels={"fid": "FID"}), "no column 'fid'"),
        (figure("tradeoff", x="fid", panels={"DI": "DI"}), "no column 'fid'"),
        (figure("budget", x="hours", panels={"DI": ""}), "x is 'hours', neither seconds nor"),
        (figure("budget", x="images", panels={"DI": ""}), "a row has no method or no number"),
    ],
)
def test_a_figure_that_does_not_fit_its_table_is_refused(
    spec: FigureSpec, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordError, match=rf"t\.json: figure 't': .*{fault}"):
        table_files.write(tmp_path / "t.json", with_figures(spec))


def test_two_figures_need_two_names(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="two figures have one name"):
        table_files.write(tmp_path / "t.json", with_figures(figure("scatter"), figure("scatter")))


def test_what_a_table_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    table_files.write(path, with_figures(figure("scatter")))
    path.write_text(path.read_text().replace('"first_rows"', '"frist_rows"'))
    with pytest.raises(RecordError, match="of another version of this program"):
        table_files.read(path)


def test_a_table_of_an_earlier_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    table_files.write(path, make_table({"DI": TableCell(["k"])}))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2, "contest": "row"}))
    with pytest.raises(RecordError, match="schema 2 is older than this program's 3") as caught:
        table_files.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "make the table again" in message
    assert "\n" not in message


def test_the_data_set_is_the_published_one_whatever_its_spelling() -> None:
    cells = {"DI": TableCell(["k"])}
    assert make_table(cells, dataset="cifar10").on_published_data
    assert not make_table(cells, dataset="cifar100").on_published_data


def test_files_are_named_after_a_folder_of_images() -> None:
    table = make_table({"DI": TableCell(["k"])}, dataset="imagefolder:/data/birds")
    assert (table.name, table.file_stem) == (
        "table5-demo-imagefolder:/data/birds",
        "table5-demo-birds",
    )


def test_a_part_of_a_table_has_a_name_of_its_own() -> None:
    whole = make_table({"DI": TableCell(["k"])})
    names = set()
    for part in (
        "rows a",
        "rows a, b",
        "rows a-b",
        "methods x.y:Z",
        "with di.settings.rate=1",
        "with di.settings.rate=-1",
        "ü",
        "r" * 99,
    ):
        table = msgspec.structs.replace(whole, part=part)
        assert re.fullmatch(r"table5-demo-digits-[a-z0-9._-]{1,60}", table.name), table.name
        assert table.whole_stem == whole.file_stem == "table5-demo-digits"
        names |= {table.name}
    for part in ("r" * 98, "r" * 97 + "s"):
        names |= {msgspec.structs.replace(whole, part=part).file_stem}
    assert len(names) == 10
