"""One tiny table from the command line, end to end."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from reports.records import load_all
from tests.benchmarks.command_line import ONE, TINY, here, in_this_process, tiny

METHODS = ["--methods", "di", "dafl", "adi"]
CELLS = 2 + 2 + 2 + 5  # baselines; di; dafl; adi after di's images: 2 students, 2 rounds, the last


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the first run, serial, and what it printed."""
    folder = tmp_path_factory.mktemp("table")
    code, out, err = in_this_process("run", "table5", *METHODS, *ONE, *TINY, cwd=folder)
    assert code == 0, err
    return folder, out


def artefacts(runs: Path) -> dict[str, dict[str, str]]:
    return {key: record.artefacts for key, record in load_all(runs).items()}


def stem_of(folder: Path) -> str:
    """How the files of the run's table are called."""
    (table,) = (folder / "runs" / "tables").glob("*-di_dafl_*.json")
    return table.stem


def test_the_table_is_printed_and_written(first: tuple[Path, str]) -> None:
    folder, printed = first
    assert "| Digits" in printed
    for title in ("DI", "DAFL", "ADI", "ResNet-34", "91.43"):
        assert title in printed, "measured beside published"
    names = {path.name for path in (folder / "reports" / "out").iterdir()}
    stem = stem_of(folder)
    assert stem.startswith("table5-demo-digits-rows-resnet34-resnet18-methods-di_dafl")
    assert len(stem) < 90
    tables = {f"{stem}.{kind}" for kind in ("md", "csv", "tex")}
    assert names == {*tables, f"{stem}-cost.csv", "report.html"}
    assert (folder / "reports" / "out" / f"{stem}.md").read_text().strip() in printed


def test_what_it_cost_is_printed_from_the_records(first: tuple[Path, str]) -> None:
    folder, printed = first
    records = load_all(folder / "runs").values()
    (di,) = [record for record in records if record.label == "digits-resnet34-di-s0"]
    with open(folder / "reports" / "out" / f"{stem_of(folder)}-cost.csv") as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert set(lines) == {"DI", "DAFL", "ADI"}
    assert float(lines["DI"]["images_seconds"]) == pytest.approx(di.cost.seconds)
    assert lines["DI"]["device"] == f"{di.provenance.cpu}, 1 thread"
    assert di.provenance.cpu, "the CPU by name"
    rounds = sum(
        record.cost.seconds
        for record in records
        if record.label.startswith("digits-resnet34-adi-resnet18-round")
    )
    assert float(lines["ADI"]["images_seconds"]) == pytest.approx(di.cost.seconds + rounds)
    assert lines["DAFL"]["student_with_images"] == "True"
    assert "#### What it cost" in printed
    assert f"{di.provenance.cpu}, 1 thread".replace("_", "\\_") in printed


def test_every_cell_that_reads_real_images_says_which(first: tuple[Path, str]) -> None:
    records = [r for r in load_all(first[0] / "runs").values() if r.kind != "synthesis"]
    assert {r.kind for r in records} == {"classifier", "distillation", "joint_student"}
    said = {(r.metrics["data_fingerprint"], r.metrics["test_images"]) for r in records}
    ((fingerprint, count),) = said
    assert (len(str(fingerprint)), count) == (64, 500)


def test_every_cell_has_its_record_and_the_images_asked_for(first: tuple[Path, str]) -> None:
    records = load_all(first[0] / "runs")
    assert len(records) == CELLS
    images = {
        r.label.removeprefix("digits-resnet34-"): r.metrics["images"]
        for r in records.values()
        if r.kind == "synthesis"
    }
    assert images == {
        "di-s0": 40,
        "dafl-resnet18-s0": 40,
        "adi-resnet18-round1-s0": 20,
        "adi-resnet18-round2-s0": 20,
    }
    for record in records.values():
        assert record.cost.seconds > 0
        assert record.provenance.threads == 1
        assert set(record.inputs.values()) <= set(records)


def test_the_rounds_of_adi_train_one_student_on_and_on(first: tuple[Path, str]) -> None:
    """Two updates each: the second round's student has made four, the last one is a fresh one."""
    runs = first[0] / "runs"
    records = load_all(runs)
    prefix = "digits-resnet34-adi-resnet18"
    by_label = {r.label: r for r in records.values()}
    rounds = [by_label[f"{prefix}-round{n}-s0"] for n in (1, 2)]
    assert {made.kind for made in rounds} == {"synthesis"}
    students = {
        r.metrics["synthetic_images"]: r
        for r in records.values()
        if r.kind == "distillation" and prefix in r.label
    }
    assert sorted(students) == [20, 40, 60]
    assert [made.inputs["student"] for made in rounds] == [students[20].key, students[40].key]
    assert {n: r.inputs.get("initial") for n, r in students.items()} == {
        **{20: None, 40: students[20].key, 60: None}
    }
    updates = {}
    for images, record in students.items():
        (weights,) = runs.glob(f"distillation/*{record.key}/weights.safetensors")
        state = load_file(weights)
        (updates[images],) = {int(state[n]) for n in state if n.endswith("num_batches_tracked")}
    assert updates == {20: 2, 40: 4, 60: 2}


def test_the_same_command_again_makes_nothing(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, printed = first
    monkeypatch.chdir(folder)
    files = [p for p in (folder / "runs").glob("*/*/**/*") if p.is_file() and p.name != ".lock"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) > 4 * CELLS
    code, out, err = here(capfd, "run", "table5", *METHODS, *ONE, *TINY)
    assert (code, out) == (0, printed)
    assert f"{CELLS} of {CELLS} cells are done already" in err
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_report_writes_the_same_bytes_without_running(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, printed = first
    monkeypatch.chdir(folder)
    out_dir = folder / "reports" / "out"
    before = {path.name: path.read_bytes() for path in out_dir.iterdir()}
    code, out, _ = here(capfd, "report", "--out-dir", "again")
    assert (code, out) == (0, printed)
    assert {path.name: path.read_bytes() for path in (folder / "again").iterdir()} == before


def test_status_and_plan_know_what_is_done(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(first[0])
    assert here(capfd, "status", "table5", *METHODS, *TINY)[:2] == (0, f"{CELLS} done\n")
    code, out, _ = here(capfd, "status", "table5", *METHODS, *TINY, "--json")
    assert {cell["state"] for cell in json.loads(out)} == {"done"}
    code, out, _ = here(capfd, "plan", "table5", *METHODS, *TINY, *ONE)
    assert code == 0
    assert f"table5 at scale demo: {CELLS} cells, 120 images\n" in out
    assert out.endswith(f"{CELLS} done, 0 to do\n"), "nothing is left to be timed"
    _, out, err = here(capfd, "status", "table5", *METHODS, *TINY, "--seeds", "2")
    assert out.endswith(f"{CELLS} done, {CELLS} to do\n")
    assert err == ""


def test_status_names_the_table_that_was_run_with_values_set_by_hand(
    first: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(first[0])
    code, out, err = here(capfd, "status", "table5", *METHODS)
    assert code == 0
    assert out.endswith(" to do\n")
    assert err.startswith(f"runs/tables/{stem_of(first[0])}.json was run with protocol.network.wi")
    assert err.endswith("dafl.settings.latent=8: give the same options for its cells\n")


def test_two_workers_make_the_same_bytes_as_one(
    first: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    two = [*ONE[:-1], "2"]
    code, out, err = here(capfd, "run", "table5", *METHODS, *two, *TINY, "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert (summary["made"], summary["found"], summary["failed"]) == (CELLS, 0, {})
    serial, both = artefacts(first[0] / "runs"), artefacts(tmp_path / "runs")
    names = {name for found in serial.values() for name in found}
    assert {"weights.safetensors", "grid.png", "images/batch-00000.safetensors"} <= names
    assert both == serial
    tables = [f / "reports" / "out" / f"{stem_of(f)}.csv" for f in (first[0], tmp_path)]
    accuracies = [[r.metrics for r in load_all(f / "runs").values()] for f in (first[0], tmp_path)]
    assert accuracies[0] == accuracies[1]
    assert all(table.is_file() for table in tables)


@pytest.mark.parametrize(
    ("method", "label"),
    [("di", "di-s0"), ("dafl", "dafl-resnet18-s0"), ("adi", "adi-resnet18-round2-s0")],
)
def test_a_synthesis_cut_short_goes_on_to_the_same_bytes(
    method: str,
    label: str,
    first: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As a kill leaves it: no record, the last shard missing; for every kind of method."""
    shutil.copytree(first[0] / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (folder,) = Path("runs/synthesis").glob(f"digits-resnet34-{label}-*")
    (folder / "record.json").unlink()
    sorted((folder / "images").glob("*.safetensors"))[-1].unlink()
    read = tiny(method, "di") if method == "adi" else tiny(method)
    code, _, err = here(capfd, "run", "table5", "--methods", method, *ONE, *read)
    assert code == 0, err
    assert err.count("] synthesis ") == 1
    again, whole = (load_all(where / "runs") for where in (tmp_path, first[0]))
    (key,) = [key for key, record in whole.items() if folder.name.endswith(record.key)]
    assert again[key].artefacts == whole[key].artefacts
