"""``check --exact`` on records that are there already: accepted values, or the check fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.execution_options import RunOptions
from benchmarks.engine.cell_runner import CellFailedError
from benchmarks.engine.digests import computing_digest
from benchmarks.engine.executor import Summary
from benchmarks.engine.provenance import provenance_here
from tests.benchmarks.cli.accepted_place import SEEDS, Ask, Place, write_records


@pytest.fixture
def exact(tmp_path: Path) -> Place:
    """A place with accepted numbers of this machine, and records of this code to check."""
    place = Place(tmp_path)
    write_records(place.runs, range(SEEDS), **of_this_machine())
    assert place.run("accept", "--seeds", str(SEEDS)) == 0
    write_records(of_this_code(place), range(SEEDS), **of_this_machine())
    return place


def of_this_machine() -> dict[str, Any]:
    """Provenance of what is computed here."""
    here = provenance_here(RunOptions(device="cpu", workers=1).machine())
    return {name: getattr(here, name) for name in ("versions", "cpu", "threads", "platform")}


def of_this_code(place: Place) -> Path:
    """Where an exact check computes."""
    here = provenance_here(RunOptions(device="cpu", workers=1).machine())
    return place.runs / computing_digest(here)


def test_an_exact_check_makes_accepted_seeds_again(ask: Ask, exact: Place) -> None:
    code, out, err = ask(exact, "check", "--exact", "--seeds", "2")
    assert code == 0
    assert out.splitlines()[-1] == "12 numbers: 12 same"
    assert not any("19 of 20" in line for line in err), "nothing is left to chance"


def test_an_exact_check_sees_every_change(ask: Ask, exact: Place) -> None:
    moved = {"shift": 1e-4, **of_this_machine()}  # a hundredth of a point
    write_records(of_this_code(exact), range(SEEDS), **moved)
    code, out, _ = ask(exact, "check", "--exact", "--seeds", "2", "--json")
    assert code == 1
    changed = [one for one in json.loads(out)["differences"] if one["fails"]]
    assert {(one["column"], one["verdict"]) for one in changed} == {("student", "changed")}
    assert changed[0]["other_seeds"] == [0, 1]


def test_an_exact_check_does_not_believe_records_of_other_code(
    ask: Ask, exact: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were accepted lie in the same folder, under the same names."""
    asked = []

    def computed(*given: Any, **_: Any) -> Summary:
        asked.append(given[2])
        return Summary(failed={"x": CellFailedError("x")})

    monkeypatch.setattr("benchmarks.cli.table_options.run", computed)
    assert ask(exact, "check", "--exact", "--seeds", "2")[0] == 1
    assert asked == [of_this_code(exact)]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("--first-seed", "1", "--seeds", "3"), "of seeds 3 no values are accepted, only of 0 1 2"),
        (("--seeds", "1", "--threads", "7"), ", 7 threads"),
    ],
)
def test_an_exact_check_that_can_not_be_one_is_refused_before_anything_runs(
    asked: tuple[str, ...], says: str, ask: Ask, exact: Place
) -> None:
    code, out, err = ask(exact, "check", "--exact", *asked)
    assert (code, out) == (2, "")
    assert err[-1].startswith("error: --exact: accuracy")
    assert err[-1].endswith(says)
