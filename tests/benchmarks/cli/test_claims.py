"""The claims command, and that the tables measure every number that the paper published."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.paper_settings import paper_settings
from benchmarks.tables.spec import read_table, tables
from reports.published import published


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


def test_without_a_run_the_ledger_has_the_settings_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = claims(capfd, tmp_path)
    assert "| all | 0 | 0 | 0 | 0 | 0 | 179 |" in out
    assert out.count("| set as published |") == 11
    assert (tmp_path / "out" / "claims.md").read_text() == out.removesuffix("\n")
    with open(tmp_path / "out" / "claims.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == list(published())
    assert not (tmp_path / "runs").exists()


def test_as_json_what_is_not_there_is_null(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = json.loads(claims(capfd, tmp_path, "--json"))
    assert len(lines) == 190
    assert lines[0]["measured"] is None
    assert lines[0]["verdict"] == "not run"
