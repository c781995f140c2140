"""``accept`` and ``check`` on records that are there already: nothing is trained."""

import json
import shutil

import msgspec
import pytest

from benchmarks.engine.provenance import commit_here
from reports import records as store
from tests.benchmarks.cli.accepted_place import SEEDS, Ask, Place, cells, write_records


def test_accepting_says_what_is_new_and_then_that_nothing_is(ask: Ask, place: Place) -> None:
    write_records(place.runs, range(SEEDS))
    code, out, _ = ask(place, "accept", "--seeds", str(SEEDS))
    assert code == 0
    path = place.accepted / "accuracy-demo-digits.csv"
    assert f"{path}:" in out
    assert "ni student: new, 90.1 ± 0.1 (n = 3, cpu)" in out
    before = path.read_bytes()
    code, out, _ = ask(place, "accept", "--seeds", str(SEEDS))
    assert (code, out) == (0, f"{path}:\nas it was\n")
    assert path.read_bytes() == before


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_images_of_a_checkout_with_changes_are_warned_of(
    ask: Ask, place: Place, more: tuple[str, ...]
) -> None:
    write_records(place.runs, range(SEEDS))
    made = next(cell for cell in cells(0) if cell.kind == "synthesis")
    record = store.read(made.folder(place.runs) / store.FILE_NAME)
    where = msgspec.structs.replace(record.provenance, commit="abc+")
    store.write(made.folder(place.runs), msgspec.structs.replace(record, provenance=where))
    code, _, err = ask(place, "accept", "--seeds", str(SEEDS), *more)
    assert code == 0
    assert "some records are of a checkout with changes: commit first, then accept" in err


def test_records_of_other_commits_are_accepted_with_a_word(ask: Ask, place: Place) -> None:
    """A runs folder that is filled says nothing of the checkout's own code."""
    write_records(place.runs, range(SEEDS))
    here = commit_here() or "?"
    _, _, err = ask(place, "accept", "--seeds", str(SEEDS))
    assert err[-1] == (
        f"some records are of abc, this checkout is {here}: its numbers are made anew with another "
        "--runs-dir"
    )
    write_records(place.runs, range(SEEDS), commit=here)
    _, _, err = ask(place, "accept", "--seeds", str(SEEDS))
    assert not any("this checkout is" in line for line in err)


def test_too_few_seeds_are_one_line_and_exit_code_2(ask: Ask, place: Place) -> None:
    code, out, err = ask(place, "accept", "--seeds", "2")
    assert (code, out, err) == (2, "", ["error: --seeds 2: 3 or more to accept"])


def test_without_accepted_numbers_is_exit_code_3_before_anything_runs(
    ask: Ask, place: Place
) -> None:
    code, out, err = ask(place, "check")
    assert (code, out, len(err)) == (3, "", 1)
    assert "accuracy-demo-digits.csv: no accepted numbers" in err[0]
    assert not place.runs.exists()


def test_other_seeds_pass(ask: Ask, accepted: Place) -> None:
    write_records(accepted.runs, range(7, 9))
    code, out, _ = ask(accepted, "check", "--first-seed", "7", "--seeds", "2")
    assert code == 0
    assert out.splitlines()[-1] == "12 numbers: 12 same"


def test_by_default_the_seeds_are_none_of_those_accepted(ask: Ask, accepted: Place) -> None:
    write_records(accepted.runs, range(100, 102))
    code, out, _ = ask(accepted, "check", "--seeds", "2")
    assert (code, out.splitlines()[-1]) == (0, "12 numbers: 12 same")


@pytest.mark.parametrize(("shift", "verdict"), [(-0.1, "worse"), (0.08, "better")])
def test_a_moved_student_fails_either_way(
    ask: Ask, accepted: Place, shift: float, verdict: str
) -> None:
    write_records(accepted.runs, range(7, 11), shift)
    code, out, _ = ask(accepted, "check", "--first-seed", "7", "--json")
    found = json.loads(out)
    assert code == 1
    assert found["failed"] == {}
    caught = {(d["row"], d["column"], d["verdict"]) for d in found["differences"] if d["fails"]}
    assert caught == {(row, "student", verdict) for row in ("di", "ni")}


def test_records_of_another_device_are_refused(ask: Ask, accepted: Place) -> None:
    write_records(accepted.runs, range(7, 11), device="cuda (NVIDIA H100)")
    code, out, err = ask(accepted, "check", "--first-seed", "7")
    assert (code, out) == (2, "")
    assert err[-1].startswith(
        "error: accuracy-demo-digits: the accepted numbers are of cpu in fp32"
    )


def test_numbers_of_another_machine_are_refused_before_anything_runs(
    ask: Ask, place: Place
) -> None:
    write_records(place.runs, range(SEEDS), device="cuda (NVIDIA H100)")
    assert place.run("accept", "--seeds", str(SEEDS)) == 0
    code, _, err = ask(place, "check", "--first-seed", "7")
    assert code == 2
    assert err == [
        "error: accuracy-demo-digits: the accepted numbers are of NVIDIA H100 in fp32, "
        "this is cpu in fp32: not compared"
    ]


def test_numbers_of_another_precision_are_refused_before_anything_runs(
    ask: Ask, accepted: Place
) -> None:
    code, _, err = ask(accepted, "check", "--first-seed", "7", "--precision", "bf16")
    assert code == 2
    assert err[-1] == (
        "error: accuracy-demo-digits: the accepted numbers are of cpu in fp32, "
        "this is cpu in bf16: not compared"
    )


@pytest.mark.parametrize("command", [("accept", "--seeds", "3"), ("check",)])
def test_two_tables_of_one_file_are_refused_before_anything_runs(
    ask: Ask, place: Place, command: tuple[str, ...]
) -> None:
    code, _, err = ask(place, *command, "--dataset", "digits", "digits")
    path = place.accepted / "accuracy-demo-digits.csv"
    said = f"error: {path}: would be of accuracy-demo-digits and of accuracy-demo-digits"
    assert (code, err) == (2, [said])
    assert not place.runs.exists()


def test_numbers_of_other_data_are_not_replaced(ask: Ask, accepted: Place) -> None:
    path = accepted.accepted / "accuracy-demo-digits.csv"
    path.write_text(path.read_text().replace(",digits,", ",imagefolder:/a/digits,"))
    code, _, err = ask(accepted, "accept", "--seeds", str(SEEDS))
    assert code == 2
    assert (
        "has accepted numbers of other data (imagefolder:/a/digits, these are of digits)"
        in (err[-1])
    )
    assert "imagefolder:/a/digits" in path.read_text()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No teacher can be trained."""

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("benchmarks.training.classifier.run", fail)


@pytest.mark.usefixtures("failing")
def test_a_failed_cell_is_a_failed_check(ask: Ask, accepted: Place) -> None:
    code, out, err = ask(accepted, "check", "--first-seed", "7", "--json")
    assert code == 1
    found = json.loads(out)
    lines = [line.removeprefix("failed: ") for line in err if line.startswith("failed: ")]
    assert lines
    assert list(found["failed"].values()) == lines
    assert found["differences"] == []


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("before", [False, True], ids=["nothing accepted", "accepted before"])
def test_nothing_is_accepted_where_a_cell_failed(before: bool, ask: Ask, accepted: Place) -> None:
    (path,) = accepted.accepted.glob("*.csv")
    content = path.read_bytes()
    if not before:
        shutil.rmtree(accepted.accepted)
    code, out, err = ask(accepted, "accept", "--first-seed", "7", "--seeds", str(SEEDS))
    assert (code, out) == (1, "")
    assert [line for line in err if line.startswith("failed: ")]
    code, out, err = ask(accepted, "accept", "--first-seed", "7", "--seeds", "3", "--json")
    lines = [line.removeprefix("failed: ") for line in err if line.startswith("failed: ")]
    assert (code, list(json.loads(out)["failed"].values())) == (1, lines)
    left = [file.read_bytes() for file in accepted.accepted.glob("*")]
    assert left == ([content] if before else [])


def test_half_a_folder_in_another_precision_is_refused_before_the_rest_is_made(
    ask: Ask, place: Place
) -> None:
    write_records(place.runs, range(SEEDS - 1))
    before = sorted(place.runs.glob("*/*"))
    code, out, err = ask(place, "accept", "--seeds", str(SEEDS), "--precision", "bf16")
    assert (code, out) == (2, "")
    assert "in fp32, this run computes in bf16: " in err[-1]
    assert sorted(place.runs.glob("*/*")) == before


def test_columns_of_images_are_checked_without_students(ask: Ask, accepted: Place) -> None:
    write_records(accepted.runs, range(100, 104))
    students = list(accepted.runs.glob("distillation/*"))
    assert students
    for folder in students:
        shutil.rmtree(folder)
    columns = ("agreement", "bn_statistics", "fid", "pixels")
    code, out, _ = ask(accepted, "check", "--json", "--columns", *columns)
    assert code == 0
    found = json.loads(out)["differences"]
    assert sorted(one["column"] for one in found) == sorted(2 * columns), "of both methods"
    assert {one["verdict"] for one in found} == {"same"}
    assert not list(accepted.runs.glob("distillation/*"))


def test_a_table_without_the_columns_asked_for_is_left_out(ask: Ask, accepted: Place) -> None:
    write_records(accepted.runs, range(100, 104))
    code, out, _ = ask(accepted, "check", "accuracy", "figure5", "--columns", "agreement", "--json")
    assert code == 0
    assert {one["column"] for one in json.loads(out)["differences"]} == {"agreement"}


def test_a_column_that_there_is_not_is_one_line(ask: Ask, accepted: Place) -> None:
    code, _, err = ask(accepted, "check", "--columns", "fid", "students")
    assert code == 2
    assert err[-1].startswith("error: --columns: unknown 'students': one of teacher, student, ")


def test_a_first_seed_below_zero_is_a_wrong_request(ask: Ask, place: Place) -> None:
    code, _, err = ask(place, "check", "--first-seed", "-1")
    assert (code, err) == (2, ["error: --first-seed -1: 0 or more"])


def test_some_rows_are_accepted_and_checked_alone(accepted: Place, ask: Ask) -> None:
    (path,) = accepted.accepted.glob("*.csv")
    before = path.read_text().splitlines()
    write_records(accepted.runs, range(SEEDS), shift=0.05)
    three = ("--first-seed", "0", "--seeds", str(SEEDS), "--json")
    code, said, _ = ask(accepted, "check", *three, "--rows", "ni")
    assert code == 1
    assert {one["row"] for one in json.loads(said)["differences"]} == {"ni"}
    assert ask(accepted, "accept", *three, "--rows", "ni")[0] == 0
    after = path.read_text().splitlines()
    assert [line for line in after if line.startswith("di,")] == [
        line for line in before if line.startswith("di,")
    ]
    assert ask(accepted, "check", *three, "--rows", "ni")[0] == 0
    code, said, _ = ask(accepted, "check", *three)
    assert code == 1
    failed = [one for one in json.loads(said)["differences"] if one["fails"]]
    assert {(one["row"], one["column"]) for one in failed} == {("di", "student")}


def test_numbers_of_recipes_set_by_hand_are_neither_accepted_nor_checked(
    ask: Ask, accepted: Place
) -> None:
    for command in (("accept", "--seeds", str(SEEDS)), ("check",)):
        code, _, err = ask(accepted, *command, "--set", "ni.settings.iterations=1")
        assert (code, len(err)) == (2, 1)
        assert "not with --set, --recipe, --ready or --weights" in err[0]


def test_a_check_that_would_compare_nothing_is_no_pass(ask: Ask, accepted: Place) -> None:
    (path,) = accepted.accepted.glob("*.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("ni,")))
    write_records(accepted.runs, range(SEEDS))
    code, out, err = ask(accepted, "check", "--rows", "ni", "--seeds", str(SEEDS))
    assert (code, out) == (3, "")
    assert "no accepted numbers of ni" in err[-1]
