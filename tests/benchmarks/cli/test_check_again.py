"""Accepted seeds with a second value from elsewhere, which ``check`` holds against themselves."""

import json
import shutil

import msgspec

from reports import records as store
from tests.benchmarks.cli.accepted_place import SEEDS, Ask, Place, write_records


def test_seeds_that_ran_elsewhere_as_well_are_checked_themselves(ask: Ask, accepted: Place) -> None:
    again = accepted.runs.parent / "again"
    code, _, err = ask(accepted, "accept", "--again-dir", str(again))
    assert (code, err) == (3, [f"error: --again-dir {again}: no such folder"])
    write_records(again, range(SEEDS), shift=0.0002, precision="bf16")
    code, out, err = ask(accepted, "accept", "--again-dir", str(again))
    assert code == 0
    assert "ni student: 90.1 ± 0.1 (n = 3, cpu) -> 90.1 ± 0.1 (n = 3, cpu, 3 of them again)" in out
    assert "second values are of abc: where that code is not" in err[-1]
    code, out, err = ask(accepted, "check", "--seeds", "2")
    assert code == 0
    assert "(2)" in out, "of seeds 0 and 1 what they have themselves"
    write_records(accepted.runs, range(100, 104))
    for options in (("--seeds", "2", "--first-seed", "100"), ("--seeds", "4")):
        code, out, err = ask(accepted, "check", *options)
        assert code == 0
        assert "(3)" in out, "seeds that have no accepted value are compared with all three"
    shutil.rmtree(accepted.runs)
    write_records(accepted.runs, range(SEEDS), shift=-0.02, precision="bf16")
    code, out, _ = ask(accepted, "check", "--seeds", "2", "--precision", "bf16")
    assert code == 1
    assert "WORSE" in out


def test_second_values_stay_beside_the_values_that_they_belong_to(
    ask: Ask, accepted: Place
) -> None:
    again = accepted.runs.parent / "again"
    write_records(again, range(SEEDS), shift=0.0002, precision="bf16")
    assert ask(accepted, "accept", "--again-dir", str(again))[0] == 0
    (file,) = accepted.accepted.glob("*.csv")
    before = file.read_bytes()
    seeds = ("--seeds", str(SEEDS))
    code, _, err = ask(accepted, "accept", *seeds)
    assert (code, file.read_bytes()) == (0, before)
    assert not any("second values" in line for line in err)
    shutil.rmtree(accepted.runs)
    write_records(accepted.runs, range(SEEDS), shift=0.0001)
    code, out, err = ask(accepted, "accept", *seeds)
    assert code == 0
    assert any(f"{2 * SEEDS} second values are gone" in line for line in err), "of two students"
    assert "ni student: 90.1 ± 0.1 (n = 3, cpu, 3 of them again) -> 90.1" in out


def test_elsewhere_only_what_has_second_values_there_is_computed(ask: Ask, accepted: Place) -> None:
    again = accepted.runs.parent / "again"
    write_records(again, range(SEEDS), shift=0.0002, precision="bf16")
    for folder in again.glob("distillation/*"):
        shutil.rmtree(folder)
    for folder in again.glob("fidelity/*-di-*"):
        shutil.rmtree(folder)
    assert ask(accepted, "accept", "--again-dir", str(again))[0] == 2, "every value is the same"
    for folder in again.glob("fidelity/*"):
        record = store.read(folder / store.FILE_NAME)
        metrics = record.metrics | {"fid": float(str(record.metrics["fid"])) + 0.01}
        store.write(folder, msgspec.structs.replace(record, metrics=metrics))
    assert ask(accepted, "accept", "--again-dir", str(again))[0] == 0
    shutil.rmtree(accepted.runs)
    shutil.copytree(again, accepted.runs)
    options = ("check", "--precision", "bf16", "--seeds")
    code, out, err = ask(accepted, *options, "2", "--json")
    assert code == 0
    found = json.loads(out)["differences"]
    assert {one["row"] for one in found if one["column"] != "teacher"} == {"ni"}
    assert not list(accepted.runs.glob("distillation/*")), "no student was trained"
    said = "of cpu in bf16 nothing is accepted of "
    assert any(said in line for line in err)
    code, _, err = ask(accepted, *options, "4")
    assert code == 2
    assert err[-1].endswith(
        "the accepted numbers are of cpu in fp32, of seeds 0 1 2 also of cpu in bf16, "
        "seeds 100 101 102 103 of cpu in bf16: not compared"
    )


def test_what_can_have_no_second_value_is_one_line(ask: Ask, accepted: Place) -> None:
    again = ("accept", "--again-dir")
    code, _, err = ask(accepted, *again, str(accepted.runs))
    assert (code, err[-1].split(": ", 1)[1]) == (
        2,
        f"{accepted.runs}: every value of seed 0 is the accepted one: it was no other rounding",
    )
    code, _, err = ask(accepted, *again)
    assert (code, err) == (2, ["error: --again-dir: which folder?"])
    code, _, err = ask(accepted, *again, str(accepted.runs), "--seeds", "3")
    assert (code, err[-1].rpartition(": ")[2]) == (2, "no --seeds")
    shutil.rmtree(accepted.accepted)
    code, _, err = ask(accepted, *again, str(accepted.runs))
    assert code == 3
    assert err[-1].endswith("digits.csv: no accepted numbers that could have second values")
