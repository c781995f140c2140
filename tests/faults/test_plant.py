"""The faults can be planted: their text is there exactly once, and what they leave compiles."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import plant
import pytest

FAULTS = [fault for faults in plant.FAULTS.values() for fault in faults]
by_name = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@by_name
def test_a_fault_can_be_planted_and_compiles(fault) -> None:  # type: ignore[no-untyped-def]
    source = fault.planted(plant.ROOT)
    assert source != (plant.ROOT / fault.file).read_text()
    compile(source, fault.file, "exec")


def test_faults_have_names_of_their_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert plant.UNHARMED not in names


@pytest.mark.parametrize("text", ["", "a\na\n"], ids=["gone", "twice"])
def test_a_text_that_is_not_there_once_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(text)
    with pytest.raises(plant.PlantError, match=r"x: its text is [02] times in file\.py"):
        plant.plant(plant.Fault("x", "file.py", "a", "b"), tmp_path)


def test_the_copy_is_what_runs(tmp_path: Path) -> None:
    plant.copy_packages(tmp_path)
    plant.plant(FAULTS[1], tmp_path)
    code = "from importlib.util import find_spec; print(find_spec('naturalinversion').origin)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert Path(done.stdout.decode().strip()).is_relative_to(tmp_path)
    assert not (tmp_path / "reports" / "out").exists()


def answering(monkeypatch: pytest.MonkeyPatch, code: int, answer: object) -> None:
    """Stand in for the check's process."""

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, json.dumps(answer) if answer else "")

    monkeypatch.setattr(plant.subprocess, "run", run)


DIFFERENCES = [
    {"row": "ni", "column": "student", "verdict": "worse", "fails": True},
    {"row": "di", "column": "fid", "verdict": "same", "fails": False},
]


def test_the_numbers_that_caught_a_fault_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, 1, {"failed": {}, "differences": DIFFERENCES})
    assert plant.main(["labels-shifted"]) == 0
    assert "ni student worse" in capsys.readouterr().out


def test_a_fault_that_passes_and_a_false_alarm_are_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, 0, {"failed": {}, "differences": DIFFERENCES[1:]})
    assert plant.main(["labels-shifted"]) == 1
    assert plant.main([plant.UNHARMED]) == 0
    answering(monkeypatch, 1, {"failed": {"teacher": "below the floor"}, "differences": []})
    assert plant.main([plant.UNHARMED]) == 1
    assert "cell failed: below the floor" in capsys.readouterr().out


def test_a_check_without_an_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 3, None)
    assert plant.main([plant.UNHARMED]) == 2


@pytest.mark.parametrize(("given", "passed"), [([], []), (["--first-seed", "0"], ["0"])])
def test_seeds_are_the_checks_own_unless_given(
    given: list[str], passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        return subprocess.CompletedProcess(command, 0, '{"failed": {}, "differences": []}')

    monkeypatch.setattr(plant.subprocess, "run", run)
    assert plant.main([plant.UNHARMED, *given]) == 0
    assert [b for a, b in pairwise(asked) if a == "--first-seed"] == passed
