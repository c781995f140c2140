"""The GPU benchmark: it says where there is no GPU, and what runs on a CPU of it runs here."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.perf import synthesis_speed
from benchmarks.perf.gpu.command import main, report
from benchmarks.perf.gpu.measure import Found, Part, Sizes, measure, parts
from benchmarks.perf.gpu.targets import NI_MS, share, table, targets
from benchmarks.perf.synthesis_speed import published_numerics

SMALL = Sizes(
    "resnet18",
    0.125,
    16,
    6,
    iterations=4,
    long=4,
    whole=5,
    matrix=64,
    training_batch=8,
    updates=2,
)


def test_without_a_gpu_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(SMALL, tmp_path / "out") == 3
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def said() -> list[str]:
    """The lines printed while it was measured."""
    return []


@pytest.fixture(scope="module")
def found(said: list[str]) -> Found:
    """Everything but the graph and the targets' sizes, on a CPU."""
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr(synthesis_speed, "BEFORE", 2)
        fewer.setattr(synthesis_speed, "COMPARED", 5)
        fewer.setattr(synthesis_speed, "LAST", 5)
        return measure(SMALL, torch.device("cpu"), said.append)


def test_every_part_is_told_with_its_figures(found: Found, said: list[str]) -> None:
    assert not found["failed"]
    assert len(said) == len(parts(SMALL, torch.device("cpu")))
    assert said[0].startswith("matrix products: bf16 ")
    assert any(line.startswith("di, bf16: milliseconds ") for line in said)
    assert all(line.endswith(" s") for line in said)


def test_everything_is_measured_and_every_target_judged(found: Found) -> None:
    assert set(found["iteration"]) == {
        *(f"ni, {precision}" for precision in ("fp32", "tf32", "bf16")),
        *(f"published ni, {precision}" for precision in ("fp32", "default")),
        "di, bf16",
    }
    shown = table(found)
    judged = {target.name: target for target in targets(found)}
    assert len(judged) == 7
    for name, target in judged.items():
        assert target.verdict in ("met", "missed")
        assert name in shown
        assert f"{target.limit:,g}: {target.verdict}" in shown
    assert judged["training, images a second"].verdict == "missed"
    assert "NI, share of that rate" in shown
    assert "at 8 ms" in shown


def test_a_new_batch_costs_what_it_takes_besides_its_iterations(found: Found) -> None:
    batch, step = found["new batch"], found["iteration"]["ni, bf16"]["milliseconds"]
    second = batch["seconds besides iterations, the second"]
    assert batch["share of 1,000 iterations"] == pytest.approx(second / step)


def test_the_share_at_the_target_is_what_the_target_takes() -> None:
    """2.15 TFLOP in 8 ms, of 798 TFLOP/s: a third of what the hardware was measured at."""
    assert share(2.15e12, NI_MS, 798e12) == pytest.approx(0.337, abs=1e-3)


def test_what_fails_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory\nand more")

    sound = {"iteration": {"ni, bf16": {"milliseconds": 8.0, "peak_mb": 1.0}}}
    made = [Part("di, bf16", broken), Part("ni, bf16", lambda: sound)]
    monkeypatch.setattr("benchmarks.perf.gpu.measure.parts", lambda *_: made)
    said: list[str] = []
    kept: list[dict[str, str]] = []
    keep = lambda found: kept.append(dict(found["failed"]))  # noqa: E731
    found = measure(SMALL, torch.device("cpu"), said.append, keep)
    assert said[0] == "di, bf16: failed: RuntimeError: out of memory"
    assert found["failed"] == {"di, bf16": "RuntimeError: out of memory"}
    assert len(kept) == 2
    verdicts = {target.name: target.verdict for target in targets(found)}
    assert verdicts["NI, ms an iteration"] == "met"
    assert verdicts["DI, ms an iteration"] == "not measured"
    assert "at most 4.5: not measured" in table(found)


def test_the_file_holds_figures_and_verdicts_after_every_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out" / "cpu.json"
    figures = {"iteration": {"di, bf16": {"milliseconds": 4.0, "peak_mb": 1.0}}}
    written: list[bool] = []

    def last() -> dict[str, dict[str, float]]:
        written.append(json.loads(path.read_text())["iteration"] == figures["iteration"])
        raise ValueError

    made = [Part("di, bf16", lambda: figures), Part("training, bf16", last)]
    monkeypatch.setattr("benchmarks.perf.gpu.measure.parts", lambda *_: made)
    assert report(SMALL, torch.device("cpu"), path.parent) == 1
    assert written == [True]
    kept = json.loads(path.read_text())
    assert kept["failed"] == {"training, bf16": "ValueError: ?"}
    assert kept["targets"]["DI, ms an iteration"] == {
        "measured": 4.0,
        "target": "at most 4.5",
        "verdict": "met",
    }
    assert "at most 4.5: met" in capsys.readouterr().out


def test_the_published_step_is_timed_as_it_is_run() -> None:
    """PyTorch's defaults, whatever a run of ours has set; put back afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    torch.use_deterministic_algorithms(True, warn_only=True)
    matmul.allow_tf32 = True
    with published_numerics("default"):
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, True)
        assert not torch.are_deterministic_algorithms_enabled()
    with published_numerics("fp32"):
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
    assert matmul.allow_tf32
    assert torch.is_deterministic_algorithms_warn_only_enabled()


def test_a_profile_lists_operations_where_there_are_no_kernels(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(SMALL, tmp_path / "out", profile=True) == 0
    head, columns, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("one iteration of ni, resnet18, 6 images, bf16, with the profiler ")
    assert columns.split() == ["kernel", "calls", "ms", "share"]
    assert any("convolution" in row for row in rows)
    times = [float(row.split()[-2]) for row in rows]
    assert times == sorted(times, reverse=True)
    assert not (tmp_path / "out").exists()


def test_flops_are_those_of_the_passes(found: Found) -> None:
    """Two looks of the teacher and a gradient to the images, the generator forth and back."""
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.perf.networks import teacher

    of = teacher("resnet18", 0.125, 16)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        of(torch.randn(6, 3, 16, 16))
    forward = counter.get_total_flops()
    assert 3 * forward < found["operations"]["ni"] < 8 * forward


def test_loops_agree_and_bf16_ends_within_a_few_percent(found: Found) -> None:
    in_float32, in_bf16 = found["agreement"].values()
    assert in_float32 < 0.01
    assert in_bf16 == pytest.approx(1, abs=0.05)


def test_the_pages_tell_what_the_kept_file_of_a_gpu_says() -> None:
    kept = json.loads(Path("benchmarks/perf/results/nvidia-h200.json").read_text())
    speed, readme = (Path(name).read_text() for name in ("docs/speed.md", "README.md"))
    told = {name: one["measured"] for name, one in kept["targets"].items()}
    ni, di = told["NI, ms an iteration"], told["DI, ms an iteration"]
    default = told["NI, times the published step in default precision"]
    for row in (
        f"| NaturalInversion, an iteration | {ni:.1f} ms | **missed** (8) |",
        f"| DeepInversion, an iteration | {di:.1f} ms | **missed** (4.5) |",
        f"default precision | {default:.1f} times as fast | met |",
        f"in float32 | {told['NI, times the published step in float32']:.1f} times as fast | met |",
        f"| {told['NI, share that a new batch adds to 1,000 iterations']:.1%} | met |".replace(
            "%", " %"
        ),
        f"| {told['training, images a second']:,.0f} | met |",
        f"| {told['training, over the bare step']:.1%} | met |".replace("%", " %"),
        f"| {kept['matrix']['bf16'] / 1e12:.0f} TFLOP/s |",
    ):
        assert row in speed
    missed = [one["verdict"] for one in kept["targets"].values()].count("missed")
    assert (missed, len(told)) == (2, 7)
    assert f"took {ni:.1f} ms, {default:.1f} times as fast" in readme
