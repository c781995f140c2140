"""The claims command, and that the tables measure every number that the paper published."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.cli.shown_tables import write_tables
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.paper_settings import paper_settings
from benchmarks.tables.spec import read_table, tables
from reports.published import published
from tests.benchmarks.command_line import here, one_line


def claims(capfd: pytest.CaptureFixture[str], folder: Path, *more: str) -> str:
    arguments = ("claims", "--runs-dir", str(folder / "runs"), "--out-dir", str(folder / "out"))
    with pytest.raises(SystemExit) as caught:
        main([*arguments, *more])
    assert caught.value.code == 0
    return capfd.readouterr().out


def test_every_published_number_is_measured_by_a_table_on_its_own_data() -> None:
    reached: dict[str, set[str]] = {}
    for dataset in ("cifar10", "cifar100"):
        recipes = Recipes("paper", dataset)
        for name in tables():
            spec = read_table(name)
            asks = any(one.claim for one in (spec.defaults, *spec.rows, *spec.columns))
            if dataset not in spec.datasets or not asks:
                continue
            for table in expand(spec, recipes, [0]).tables:
                for row in table.rows:
                    for cell in row.cells.values():
                        reached.setdefault(cell.claim, set()).add(table.dataset)
    for number in published().values():
        if number.table == "text" or not number.dataset:  # the ledger derives or reads these
            continue
        assert reached.get(number.id) == {number.dataset}, number.id


def test_the_settings_of_the_text_are_the_recipes_of_scale_paper() -> None:
    settings = {n.id: n.value for n in published().values() if n.method == "protocol"}
    assert len(settings) == 11
    assert paper_settings() == settings


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A runs folder with a table of which no cell was made."""
    write_tables(
        expand(read_table("table5"), Recipes("paper", "cifar10"), [0]).tables, tmp_path / "runs"
    )
    return tmp_path


def test_without_a_record_the_ledger_has_the_settings_only(
    asked: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = claims(capfd, asked)
    assert "| all | 0 | 0 | 0 | 0 | 0 | 179 |" in out
    assert out.count("| set as published |") == 11
    assert (asked / "out" / "claims.md").read_text() == out.removesuffix("\n")
    with open(asked / "out" / "claims.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == list(published())


def test_a_named_folder_that_is_not_there_is_one_line_and_leaves_an_earlier_ledger(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "out" / "claims.csv"
    good.parent.mkdir()
    good.write_text("good")
    code, out, err = here(
        capfd, "claims", "--runs-dir", str(tmp_path / "rnus"), "--out-dir", str(good.parent)
    )
    assert (code, out) == (3, "")
    assert one_line(err).endswith("rnus: no such folder; run a table first")
    assert good.read_text() == "good"
    assert list(good.parent.iterdir()) == [good]


def test_before_any_run_all_of_it_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = here(capfd, "claims", "--json")
    lines = json.loads(out)
    assert (code, len(lines)) == (0, 190)
    assert {line["verdict"] for line in lines} == {"not run", "set as published"}
    assert err.splitlines()[0] == "runs/tables: no table yet"
    assert not (tmp_path / "runs").exists()


def test_as_json_what_is_not_there_is_null(asked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = json.loads(claims(capfd, asked, "--json"))
    assert len(lines) == 190
    assert lines[0]["measured"] is None
    assert lines[0]["verdict"] == "not run"
