"""Estimates: positive, in proportion to the work, and nothing is run for them."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.cli import cell_plan
from benchmarks.cli.cell_plan import images, rough_duration
from benchmarks.cli.table_options import TableOptions
from benchmarks.engine import step_timing
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.estimate import CELL_SECONDS, Estimate, estimate
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import RandomClassifier, Step, StepCounts
from benchmarks.recipes.resolve import Recipes
from benchmarks.synthesis.synthesis_steps import SynthesisStep
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.registry import count_steps
from benchmarks.tables.spec import Measurement, read_table, tables
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.errors import BenchmarkError
from tests.benchmarks.command_line import ONE, here, one_line

TINY = ("protocol.network.width=0.125",)
MACHINE = Machine("cpu", "fp32", 1)


def pipeline(*overrides: str, seed: int = 0) -> Pipeline:
    return Pipeline(Recipes("demo", "digits", [*TINY, *overrides]).resolve("resnet18"), seed)


def ask(method: str, student: str = "vgg11") -> Measurement:
    return Measurement(method=method, student=student)


def count(found: StepCounts | None, step: type[Step]) -> int:
    assert found is not None
    return sum(times for taken, times in found.items() if isinstance(taken, step))


@pytest.fixture
def a_step_takes_a_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (SynthesisStep, TrainingStep, ForwardStep):
        monkeypatch.setattr(step, "seconds", lambda self, machine: 0.01)


def test_all_and_another_table_are_planned_each_once() -> None:
    found = TableOptions(("accuracy", "table1", "all", "accuracy")).planned()
    names = [planned.tables[0].id for planned in found]
    assert names[:2] == ["accuracy", "table1"]
    assert sorted(names[1:]) == sorted(name for name in tables() if read_table(name).in_paper)


def test_synthesis_takes_its_iterations_for_every_batch() -> None:
    def steps(*overrides: str, method: str = "di") -> int:
        (cell, _), *_ = pipeline(*overrides).images(ask(method)).parts
        return count(count_steps(cell), SynthesisStep)

    base = ("di.settings.iterations=10", "di.batches=3")
    assert steps(*base) == 30
    assert steps("di.settings.iterations=20", "di.batches=3") == 60
    assert steps("di.settings.iterations=10", "di.batches=6") == 60
    joint = ("dafl.settings.epochs=3", "dafl.settings.steps=5", "dafl.batches=9")
    assert steps(*joint, method="dafl") == 15, "the generator is trained once for all batches"
    shared = ("ni.settings.iterations=10", "ni.batches=3", "ni.settings.one_to_one=false")
    assert steps(*shared, method="ni") == 10, "one generator for all batches"


def test_training_takes_its_updates_and_its_tests() -> None:
    cell = pipeline("protocol.classifier.epochs=4", "protocol.classifier.batch_size=100").teacher
    assert count(count_steps(cell), TrainingStep) == 4 * 13
    assert count(count_steps(cell), ForwardStep) == 500
    student = pipeline(
        "protocol.student.epochs=4",
        "protocol.student.updates_per_epoch=7",
        "protocol.student.evaluate_every=2",
    ).student(ask("di"))
    assert count(count_steps(student), TrainingStep) == 28
    assert count(count_steps(student), ForwardStep) == (2 + 2) * 500, "agreement: one of each"


@pytest.mark.usefixtures("a_step_takes_a_hundredth")
def test_estimates_are_positive_and_grow_with_the_iterations() -> None:
    def seconds(iterations: int) -> dict[str, float]:
        target = pipeline(f"di.settings.iterations={iterations}", "di.batches=2").student(ask("di"))
        cells = with_inputs([target])
        found = estimate(cells, cells, count_steps, MACHINE, 1)
        assert found.wall == pytest.approx(sum(found.seconds.values()))
        return {cell.kind: found.seconds[cell.key] for cell in cells}

    few, many = seconds(50), seconds(500)
    assert all(value > 0 for value in few.values())
    assert many["synthesis"] - CELL_SECONDS == pytest.approx(10 * (few["synthesis"] - CELL_SECONDS))
    assert few["synthesis"] == pytest.approx(CELL_SECONDS + 2 * 50 * 0.01)
    assert few["classifier"] == many["classifier"]


@pytest.mark.usefixtures("a_step_takes_a_hundredth")
def test_what_is_done_costs_nothing() -> None:
    cells = with_inputs([pipeline().student(ask("di"))])
    todo = cells[1:]
    found = estimate(cells, todo, count_steps, MACHINE, 1)
    assert set(found.seconds) == {cell.key for cell in todo}
    assert estimate(cells, [], count_steps, MACHINE, 1).wall == 0.0


def test_two_workers_are_faster_but_a_chain_stays_a_chain(
    a_step_takes_a_hundredth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "benchmarks.engine.estimate._time", lambda steps, machine, workers: [0.01] * len(steps)
    )
    cells = with_inputs([pipeline(seed=seed).teacher for seed in range(4)])
    one, two = (estimate(cells, cells, count_steps, MACHINE, workers) for workers in (1, 2))
    assert two.wall < one.wall
    chain = with_inputs([pipeline().student(ask("di"))])
    alone, together = (estimate(chain, chain, count_steps, MACHINE, workers) for workers in (1, 2))
    assert together.wall >= alone.wall


@pytest.mark.parametrize(
    "step",
    [
        TrainingStep(RandomClassifier("resnet18", 0.125, 8, 4), 8),
        TrainingStep(
            RandomClassifier("resnet18", 0.125, 8, 4), 8, RandomClassifier("vgg11", 0.125, 16, 4)
        ),
        ForwardStep(RandomClassifier("resnet18", 0.125, 8, 4)),
    ],
    ids=["training", "distillation", "test"],
)
def test_a_step_is_timed_for_real(step: Step) -> None:
    assert 0 < step.seconds(MACHINE) < 5


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("di", ()),
        ("dafl", ("dafl.settings.latent=8", "dafl.settings.generator_width=0.1")),
        (
            "ni",
            (
                "ni.settings.one_to_one=false",
                "ni.settings.shared_batch=100",
                "ni.settings.latent=8",
                "ni.settings.generator_width=0.1",
            ),
        ),
    ],
    ids=["di", "dafl", "shared generator"],
)
def test_every_way_to_synthesize_can_be_timed(method: str, overrides: tuple[str, ...]) -> None:
    """Also where batches are larger than what is timed on a CPU."""
    base = [f"{method}.batch_size=100", "protocol.network.image_size=8"]
    (cell, _), *_ = pipeline(*base, *overrides).images(ask(method, "resnet18")).parts
    (step,) = count_steps(cell) or {}
    assert isinstance(step, SynthesisStep)
    assert 0 < step.seconds(MACHINE) < 20


@pytest.mark.parametrize("more", [4, 60])
def test_what_is_done_once_is_not_in_the_time_of_a_step(
    more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-up takes 3 s, as where a step has to be captured first."""
    now = 0.0

    def run(steps: int) -> None:
        nonlocal now
        now += 3 + 0.5 * steps

    monkeypatch.setattr(step_timing.time, "perf_counter", lambda: now)
    assert step_timing.per_step(run, torch.device("cpu"), more) == pytest.approx(0.5)


@pytest.mark.usefixtures("a_step_takes_a_hundredth")
def test_a_step_that_exits_is_an_error_and_not_the_end_of_a_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SynthesisStep, "seconds", lambda self, machine: sys.exit(0))
    cells = with_inputs([pipeline().images(ask("di")).parts[0][0]])
    with pytest.raises(BenchmarkError, match=r"^a step can't be timed: SystemExit: 0$"):
        estimate(cells, cells[-1:], count_steps, MACHINE, 1)


@pytest.mark.usefixtures("a_step_takes_a_hundredth")
def test_a_method_that_cannot_be_shortened_is_named_and_not_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A method from outside need not have ``with_iterations``; the rest is estimated."""
    monkeypatch.chdir(tmp_path)
    asked = list(ASKED)
    asked[asked.index("di")] = "contract_methods:FromOutside"
    code, out, _ = here(capfd, *asked)
    assert code == 0
    (line,) = [line for line in out.splitlines() if "not estimated" in line]
    assert "synthesis" in line
    assert "with_iterations" in line
    assert "for the others with 1 at a time" in out
    code, out, _ = here(capfd, *asked, "--json")
    found = {cell["kind"]: cell["seconds"] for cell in json.loads(out)["cells"]}
    assert found["synthesis"] is None
    assert found["distillation"] > 0


def test_images_and_durations_as_printed(tmp_path: Path) -> None:
    (cell, _), *_ = pipeline("di.batches=4", "di.batch_size=50").images(ask("di")).parts
    assert images(cell) == 200
    assert images(pipeline().teacher) == 0
    printed = [rough_duration(s) for s in (0.4, 45, 720, 27000, 270000)]
    assert printed == ["0 s", "45 s", "12 min", "7.5 h", "3.1 days"]


ASKED = ("plan", "table5", "--rows", "resnet34-resnet18", "--methods", "di", *ONE)


def test_cells_and_images_are_printed_before_anything_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before: list[str] = []

    def timed(cells: Sequence[Cell], todo: Sequence[Cell], *_: Any) -> Estimate:
        before.append(capfd.readouterr().out)
        return Estimate({cell.key: 60.0 for cell in todo}, 240.0)

    monkeypatch.setattr(cell_plan, "estimate", timed)
    code, after, _ = here(capfd, *ASKED)
    assert code == 0
    (printed,) = before
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert lines == [
        "table5 at scale demo: 4 cells, 300 images",
        "classifier 2 cells",
        "synthesis 1 cells, 300 images",
        "distillation 1 cells",
        "0 done, 4 to do",
    ]
    assert "synthesis         1 cells       60 s of work" in after
    assert after.endswith("  about 4 min with 1 at a time\n")


@pytest.mark.parametrize(
    "command",
    [
        ["plan", "table5"],
        ["plan", "table5", "--json"],
        ["compare", "di", "--plan"],
        ["run", "table5", "--scale", "paper"],
    ],
)
def test_a_device_to_be_timed_that_is_not_there_is_one_line(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, out, err = here(capfd, *command, "--device", "cuda")
    assert (code, out) == (2, "")
    assert one_line(err) == "error: --device cuda: no CUDA device on this machine"


@pytest.mark.parametrize("asked", [ASKED, ("compare", "di", "--plan", *ONE)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_without_timing_nothing_is_timed_and_cells_and_images_are_said(
    form: str,
    asked: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def timed(*_: Any) -> Estimate:
        raise AssertionError("nothing is to be timed")

    monkeypatch.setattr(cell_plan, "estimate", timed)
    json_too = ["--json"] if form == "json" else []
    code, out, _ = here(capfd, *asked, "--no-timing", *json_too)
    assert code == 0
    if form == "json":
        found = json.loads(out)
        assert [cell["seconds"] for cell in found["cells"]] == [None] * 4
        assert sum(cell["images"] for cell in found["cells"]) == 300
        assert found["wall_seconds"] is None
    else:
        assert out.endswith("0 done, 4 to do\n")
        assert "of work" not in out
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_as_done_has_nothing_left_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cell_plan, "is_done", lambda cell, runs, verify: not verify)
    code, out, err = here(capfd, *ASKED)
    assert code == 0
    assert out.endswith("4 done, 0 to do\n")
    assert "timing" not in err


@pytest.mark.usefixtures("a_step_takes_a_hundredth")
def test_compare_says_what_it_would_run_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = here(capfd, "compare", "di", "ni", "--plan", *ONE)
    assert code == 0
    first, *_, last = out.splitlines()
    assert first.startswith("compare di ni at scale demo: ")
    assert last.endswith(" with 1 at a time")
    code, out, _ = here(capfd, "compare", "di", "ni", "--plan", "--json", *ONE)
    assert code == 0
    kinds = {cell["kind"] for cell in json.loads(out)["cells"]}
    assert kinds == {"classifier", "synthesis", "distillation"}
    assert list(tmp_path.iterdir()) == []


def test_without_a_plan_there_is_no_timing_to_leave_out(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = here(capfd, "compare", "di", "--no-timing")
    assert (code, one_line(err)) == (2, "error: --no-timing: of --plan, which times")


def test_of_what_has_no_record_no_time_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = here(capfd, *ASKED, "--recorded")
    assert code == 0
    assert out.splitlines()[-1].endswith("| 4 | 0 | — |")
    (row,) = json.loads(here(capfd, *ASKED, "--recorded", "--json")[1])
    assert row["wall_seconds"] is None
