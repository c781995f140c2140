"""What was asked for is part of a table's name: a second command replaces nothing."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.shown_tables import path_of, with_seeds_shown, write_tables
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, cells_of, expand
from benchmarks.tables.spec import read_table
from naturalinversion.classifiers import build
from naturalinversion.errors import UsageError
from reports.published import find_published
from reports.records import FILE_NAME, SchemaError
from reports.tables.layout import Table
from reports.tables.notes import about_columns
from reports.tables.table_files import read

RATE = "di.settings.rate=0.2"


def table(
    name: str = "table5", seeds: Sequence[int] = (0,), sets: Sequence[str] = (), **chosen: Any
) -> Table:
    (found,) = expand(
        read_table(name), Recipes("demo", "digits", sets), list(seeds), **chosen
    ).tables
    return found


def test_the_caption_of_pruning_names_no_other_teacher() -> None:
    assert "ResNet-34" not in table("figure6", teacher="vgg11").caption
    assert "the pruned teacher" in table("figure6", teacher="vgg11").caption


def test_the_whole_table_has_its_plain_name_and_title() -> None:
    whole = table()
    assert (whole.name, whole.part) == ("table5-demo-digits", "")
    assert whole.title == read_table("table5").title
    columns = read_table("table5").columns
    every = list(dict.fromkeys(column.method for column in columns if column.role == "method"))
    assert table(methods=every).name == whole.name
    rows = [row.id for row in whole.rows]
    assert table(rows=rows).name == whole.name


@pytest.mark.parametrize(
    ("chosen", "part"),
    [
        ({"rows": ["resnet34-resnet18"]}, "rows resnet34-resnet18"),
        ({"methods": ["di", "ni"]}, "methods di, ni"),
        ({"sets": [RATE]}, f"with {RATE}"),
        (
            {"methods": ["ni"], "rows": ["vgg11-vgg11"], "sets": [RATE]},
            f"rows vgg11-vgg11; methods ni; with {RATE}",
        ),
        ({"name": "table3", "methods": ["di"]}, "rows di"),
        ({"name": "table1", "teacher": "vgg11"}, "teacher vgg11"),
        (
            {"name": "table2", "teacher": "vgg11"},
            "rows vgg11-resnet18, vgg11-vgg11, vgg11-mobilenetv2",
        ),
    ],
)
def test_a_part_says_in_name_and_title_what_it_is(chosen: dict[str, Any], part: str) -> None:
    found = table(**chosen)
    whole = table(chosen.get("name", "table5"))
    assert found.part == part
    assert found.title == f"{whole.title} ({part})"
    assert found.name.startswith(f"{whole.name}-")
    assert found.file_stem != whole.file_stem


def test_other_weights_are_another_table(tmp_path: Path) -> None:
    import torch

    names = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        path = tmp_path / f"{seed}" / "mine.pt"
        path.parent.mkdir()
        torch.save(build("resnet34", 10, 0.125).state_dict(), path)
        recipes = Recipes("demo", "digits", (), {"resnet34": path})
        (found,) = expand(read_table("table5"), recipes, [0]).tables
        assert "weights of resnet34" in found.title
        names.add(found.name)
    assert len(names) == 2


def test_another_recipe_of_a_method_from_outside_is_another_table(tmp_path: Path) -> None:
    """And the page says which one the numbers are of."""
    method, found = "contract_methods:FromOutside", {}
    for noise in (0.25, 0.75):
        path = tmp_path / f"{noise}" / "mine.toml"
        path.parent.mkdir()
        path.write_text(f'method = "{method}"\n[[layer]]\nset = {{ settings.noise = {noise} }}\n')
        recipes = Recipes("demo", "digits", files=[path])
        (made,) = expand(read_table("table5"), recipes, [0], methods=[method]).tables
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        assert made.overrides == [f"recipe of {method} {digest}"]
        assert made.title.endswith(f"with recipe of {method} {digest})")
        assert f"Assumed: set by hand: recipe of {method} {digest}." in about_columns(made)
        found[made.name] = made.file_stem
    without = table(methods=[method])
    assert without.overrides == []
    found[without.name] = without.file_stem
    assert len(found) == len(set(found.values())) == 3


def test_a_comparison_is_called_after_what_it_compares() -> None:
    def compared(named: str, sets: Sequence[str] = ()) -> Table:
        recipes = Recipes("demo", "digits", sets)
        spec = read_table("table5")
        return expand(spec, recipes, [0], methods=["di", "ni"], named=named).tables[0]

    names = {compared(named).name for named in ("di, ni on resnet34", "di, ni on vgg11")}
    names.add(compared("di, ni on vgg11", [RATE]).name)
    assert len(names) == 3


def test_a_seed_of_which_there_is_only_what_all_share_does_not_stay(tmp_path: Path) -> None:
    """The test of a ready teacher is no number of the seed that made it."""
    spec, recipes = read_table("accuracy"), Recipes("small", "cifar10")
    before = expand(spec, recipes, [0])
    write_tables(before.tables, tmp_path)
    (teacher,) = {
        cell.key: cell for cell in cells_of([before]) if cell.kind == "pretrained"
    }.values()
    teacher.folder(tmp_path).mkdir(parents=True)
    (teacher.folder(tmp_path) / FILE_NAME).touch()
    planned = expand(spec, recipes, [100])
    assert with_seeds_shown(planned, tmp_path) == planned.tables


def test_seeds_that_were_shown_stay(tmp_path: Path) -> None:
    """Three seeds, then a command for one of them: it does not take the others away."""
    spec, recipes = read_table("table5"), Recipes("demo", "digits")
    before = expand(spec, recipes, [0, 1, 2])
    write_tables(before.tables, tmp_path)
    planned = expand(spec, recipes, [5])
    assert with_seeds_shown(planned, tmp_path) == planned.tables, "none of them has a record"
    for cell in before.targets:
        cell.folder(tmp_path).mkdir(parents=True, exist_ok=True)
        (cell.folder(tmp_path) / FILE_NAME).touch()
    assert [t.seeds for t in with_seeds_shown(planned, tmp_path)] == [[0, 1, 2, 5]]
    assert {cell.recipe["seed"] for cell in planned.targets if "seed" in cell.recipe} != set()
    (whole,) = expand(spec, recipes, [0, 1, 2, 5]).tables
    assert with_seeds_shown(planned, tmp_path) == [whole]
    other = expand(spec, recipes, [5], rows=["vgg11-vgg11"])
    assert with_seeds_shown(other, tmp_path) == other.tables, "a part has seeds of its own"
    (tmp_path / "tables" / "table5-demo-digits.json").write_text("{")
    assert with_seeds_shown(planned, tmp_path) == planned.tables, "of what can't be read, none"


def make(cells: Sequence[Cell], runs: Path, *kinds: str) -> None:
    """Something for records of the cells and of what they read, or of some kinds."""
    for cell in with_inputs(cells):
        if not kinds or cell.kind in kinds:
            cell.folder(runs).mkdir(parents=True, exist_ok=True)
            (cell.folder(runs) / FILE_NAME).touch()


def test_seeds_of_an_edited_method_are_not_shown_before_they_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Their teachers have records still, so that means of one and of three seeds would be shown."""
    monkeypatch.syspath_prepend(tmp_path)
    source = "from contract_methods import FromOutside\nclass Shown(FromOutside):\n    pass\n"
    file, runs = tmp_path / "method_shown.py", tmp_path / "runs"
    file.write_text(source)

    def planned(*seeds: int) -> PlannedTable:
        methods = ["method_shown:Shown"]
        return expand(read_table("table5"), Recipes("demo", "digits"), seeds, methods=methods)

    def shown(found: PlannedTable) -> list[int]:
        (one,) = with_seeds_shown(found, runs)
        return one.seeds

    before = planned(0, 1, 2)
    make(before.targets, runs)
    write_tables(before.tables, runs)
    assert shown(planned(5)) == [0, 1, 2, 5]
    file.write_text(source + "# edited\n")
    assert shown(planned(0)) == [0]
    assert "no numbers of seeds 1 to 2, which were made otherwise" in capfd.readouterr().err
    make(planned(1).targets, runs)
    assert shown(planned(0)) == [0, 1], "what is made again is shown again"


def test_seeds_that_another_command_has_begun_stay(tmp_path: Path) -> None:
    spec, recipes = read_table("table5"), Recipes("demo", "digits")
    begun = expand(spec, recipes, [0, 1])
    write_tables(begun.tables, tmp_path)
    make(begun.targets, tmp_path, "classifier")
    (found,) = with_seeds_shown(expand(spec, recipes, [2]), tmp_path)
    assert found.seeds == [0, 1, 2]


def test_a_table_of_a_newer_version_is_not_taken_for_none(tmp_path: Path) -> None:
    """It would be overwritten, and its seeds lost."""
    spec, recipes = read_table("table5"), Recipes("demo", "digits")
    planned = expand(spec, recipes, [0])
    (path,) = write_tables(planned.tables, tmp_path)
    content = json.loads(path.read_text())
    for newer in ({"schema": content["schema"] + 1}, {"new_field": 1}):
        path.write_text(json.dumps(content | newer))
        before = path.read_bytes()
        with pytest.raises(SchemaError, match="newer"):
            with_seeds_shown(planned, tmp_path)
        with pytest.raises(SchemaError, match="newer"):
            write_tables(planned.tables, tmp_path)
        assert path.read_bytes() == before


def test_two_folders_of_one_name_are_two_tables(tmp_path: Path) -> None:
    first, second = (
        Table(
            id="t",
            title="T",
            caption="",
            scale="demo",
            dataset=f"imagefolder:/{place}/birds",
            published_dataset="CIFAR-10",
            seeds=[0],
            columns=table().columns,
            rows=table().rows,
            pictures=[],
        )
        for place in ("a", "b")
    )
    (one,) = write_tables([first], tmp_path)
    (two,) = write_tables([second], tmp_path)
    assert (one.stem, two.stem[:13]) == ("t-demo-birds", "t-demo-birds-")
    assert (read(one).dataset, read(two).dataset) == (first.dataset, second.dataset)
    assert path_of(first, tmp_path) == one
    assert path_of(second, tmp_path) == two


def test_another_teacher_is_inverted_and_has_no_published_number() -> None:
    found = table("table1", teacher="vgg11", methods=["di"])
    (row,) = (row for row in found.rows if row.role == "method")
    assert find_published(row.cells["fid"].claim) is None
    usual = table("table1", methods=["di"])
    assert row.cells["fid"].records != usual.rows[0].cells["fid"].records
    with pytest.raises(UsageError, match="--teacher alexnet: one of "):
        table("table1", teacher="alexnet")
