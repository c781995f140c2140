"""The checks of a GPU: on a CPU what can run there runs, and each can fail."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import fast_dfkd
from benchmarks.evaluation.fidelity.features import FeatureExtractor
from benchmarks.perf.gpu_check import joint, run, training
from benchmarks.perf.gpu_check.batches import Case, Runs
from benchmarks.perf.gpu_check.cases import CPU, Sizes
from benchmarks.perf.gpu_check.check import Check, Measured
from benchmarks.perf.gpu_check.synthesis import CASES, captured, memory, waits
from naturalinversion import Teacher, priors
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.inversion.cuda_graph import eager
from tests.naturalinversion.fake_cuda_graph import FakeGraph

SMALL = Sizes(0.0625, 16, 4, iterations=8, seeds=(0,), joint=8, long=(1, 2), archs=("vgg11",))


@pytest.mark.timeout(400)
def test_on_a_cpu_what_can_run_there_passes(capsys: pytest.CaptureFixture[str]) -> None:
    code = run.main("cpu")
    said = capsys.readouterr().out
    *lines, last = said.splitlines()
    verdicts = [line.split()[0] for line in lines]
    assert code == 0, said
    assert "FAIL" not in verdicts
    passed, unrun = verdicts.count("PASS"), verdicts.count("----")
    assert passed + unrun == len(lines)
    assert last.startswith(f"{passed} passed, 0 failed, {unrun} need CUDA, ")
    for name in CASES:
        assert sum(line[6:].startswith(f"{name}, vgg11: ") for line in lines) == 6
    for about in (
        "observed norm, tf32, NHWC",
        "training: resumed",
        "features, ",
        "WGAN-GP: ",
        "CMI: ",
    ):
        assert f"PASS  {about}" in said


def check_cpu(capsys: pytest.CaptureFixture[str], only: str) -> tuple[int, str]:
    """Exit code and output of the checks with this in their names."""
    code = run.main("cpu", only=(only,))
    return code, capsys.readouterr().out


class _Scaled(torch.autograd.Function):
    """The identity, with a gradient that is one percent too large."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * 1.01


def _wrong_gradient(patch: pytest.MonkeyPatch) -> None:
    observe = Teacher.observe
    patch.setattr(Teacher, "observe", lambda of, x, **w: observe(of, _Scaled.apply(x), **w))


def _wrong_loss(patch: pytest.MonkeyPatch) -> None:
    """Only in float32, as the rounding of a device would be."""
    variation = priors.total_variation

    def off(images: Tensor) -> Tensor:
        return variation(images) * (1 if images.dtype == torch.float64 else 1 + 1e-4)

    patch.setattr(priors, "total_variation", off)


def _never_the_same(patch: pytest.MonkeyPatch) -> None:
    l2, calls = priors.l2, iter(range(10**6))
    patch.setattr(priors, "l2", lambda images: l2(images) * (1 + 1e-4 * next(calls)))


def _forgotten_momentum(patch: pytest.MonkeyPatch) -> None:
    restore = Checkpoint.restore

    def without(checkpoint: Checkpoint) -> Any:
        found = restore(checkpoint)
        if found is not None:
            found["optimizer"]["state"].clear()
        return found

    patch.setattr(Checkpoint, "restore", without)


def _other_pixels(patch: pytest.MonkeyPatch) -> None:
    """When several images come at once."""
    extract = FeatureExtractor.__call__

    def other(made: FeatureExtractor, images: Tensor) -> Any:
        return extract(made, images // 2 if len(images) > 1 else images)

    patch.setattr(FeatureExtractor, "__call__", other)


def _reset_drawn_in_place(patch: pytest.MonkeyPatch) -> None:
    """So that a generator in float64, or on a GPU, starts anew from other weights."""

    def anew(network: Any, gain: float) -> None:
        torch.nn.init.normal_(network.project.weight, 0.0, 0.02)

    patch.setattr(fast_dfkd, "_start_anew", anew)


def _other_contrast(patch: pytest.MonkeyPatch) -> None:
    contrast, calls = priors.contrast, iter(range(10**6))
    patch.setattr(priors, "contrast", lambda *a: contrast(*a) * (1 + 1e-4 * next(calls)))


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        (_wrong_gradient, "observed norm, fp32, NHWC, 5x19x7x7"),
        (_wrong_loss, "NI, vgg11: steps"),
        (_never_the_same, "NI, vgg11: again"),
        (_forgotten_momentum, "training: resumed, fp32"),
        (_other_pixels, "features, efficientnet-lite0"),
        (_reset_drawn_in_place, "Fast-DFKD: steps"),
        (_other_contrast, "CMI: again"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_fault_fails_its_check(
    plant: Callable[[pytest.MonkeyPatch], None],
    check: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without the fault it passes: see `test_on_a_cpu_what_can_run_there_passes`."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        code, spoiled = check_cpu(capsys, check)
    assert code == 1
    assert spoiled.startswith(f"FAIL  {check}: ")
    assert "0 passed, 1 failed, " in spoiled


def test_one_that_raises_fails_alone() -> None:
    def broken() -> list[Measured]:
        raise RuntimeError("no kernel\nand more")

    checks = [
        Check("broken", broken),
        Check("NaN", lambda: [Measured("loss", float("nan"), 1)]),
        Check("empty", lambda: []),
        Check("unrun", broken, needs="CUDA"),
        Check("sound", lambda: [Measured("loss", 1, 1)]),
    ]
    said: list[str] = []
    assert run.run(checks, say=said.append) == 1
    starts = ["FAIL  broken: RuntimeError: no kernel  ", "FAIL  NaN: loss nan (at most 1)  "]
    starts += ["FAIL  empty: nothing measured", "----  unrun: needs CUDA: not run", "PASS  sound: "]
    starts += ["1 passed, 3 failed, 1 need CUDA, "]
    for line, start in zip(said, starts, strict=True):
        assert line.startswith(start)


def test_what_has_not_begun_in_time_fails() -> None:
    said: list[str] = []
    sound = Check("sound", lambda: [Measured("loss", 1, 1)])
    assert run.run([sound, sound], say=said.append, seconds=1e-9) == 1
    assert all(line.startswith("FAIL  sound: not run: 1e-09 s are over") for line in said[:2])


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main("cpu", only=("nothing like it",)) == 2
    assert capsys.readouterr().err == "error: no check is called nothing like it\n"


@pytest.fixture
def played(
    graphs: list[FakeGraph],
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Capture on the CPU, and the modes of waiting that PyTorch was put in."""
    modes: list[str] = []

    class Graph(FakeGraph):
        """A class, as PyTorch's is: what counts replays wraps its method."""

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    return modes


@pytest.mark.parametrize(
    "name", ["DI", "NI, cosine", "NI, shared, latents once", "NI, shared, latents every step"]
)
def test_captured_batches_are_held_against_eager_ones(name: str, played: list[str]) -> None:
    runs = Runs(Case(*CASES[name], "vgg11", SMALL, CPU))
    assert all(figure.passed for figure in captured(runs))
    assert all(figure.passed for figure in waits(runs))
    assert "error" in played
    assert played[-1] == "default"


def test_a_step_that_is_not_captured_is_noticed(played: list[str]) -> None:
    """The last iterations have to be replays."""
    runs = Runs(Case(*CASES["NI, shared, latents once"], "vgg11", SMALL, CPU))
    assert runs.in_bf16
    with eager():
        figures = {figure.what: figure for figure in waits(runs)}
    assert not figures["guarded, no replay"].passed
    assert figures["bytes that differ"].passed


def test_a_replay_that_does_something_else_is_noticed(
    played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replay, calls = FakeGraph.replay, itertools.count()

    def sometimes(graph: FakeGraph) -> None:
        if next(calls) != 2:
            replay(graph)

    monkeypatch.setattr(FakeGraph, "replay", sometimes)
    figures = captured(Runs(Case(*CASES["DI"], "vgg11", SMALL, CPU)))
    assert not any(figure.passed for figure in figures)


@pytest.mark.parametrize("name", ["DAFL", "DFAD", "WGAN-GP"])
def test_joint_methods_captured_and_eager_agree(name: str, played: list[str]) -> None:
    (check,) = (c for c in joint.checks(CPU, SMALL) if c.name == f"{name}: captured")
    assert check.needs == "CUDA"
    assert all(figure.passed for figure in check.run())


@pytest.mark.parametrize("about", ["fp32", "distilled, bf16"])
def test_updates_captured_and_eager_agree(about: str, played: list[str]) -> None:
    (check,) = (c for c in training.checks(CPU, SMALL) if c.name == f"training: captured, {about}")
    assert check.needs == "CUDA"
    assert all(figure.passed for figure in check.run())
    assert "error" in played


def test_updates_that_are_not_captured_are_noticed(played: list[str]) -> None:
    (check,) = (c for c in training.checks(CPU, SMALL) if c.name == "training: captured, fp32")
    with eager():
        figures = {figure.what: figure for figure in check.run()}
    assert not figures["not replayed"].passed
    assert figures["weights"].passed


def test_memory_that_grows_from_batch_to_batch_is_noticed() -> None:
    runs = Runs(Case(*CASES["DI"], "vgg11", SMALL, CPU))
    assert runs.in_bf16
    still, segment = [512] * 4, [4_000_000, 6_000_000, 6_000_000, 8_000_000]
    runs.allocated[:], runs.reserved[:] = still, segment
    assert [figure.passed for figure in memory(runs)] == [True, True]
    runs.allocated[:], runs.reserved[:] = [512, 1024, 1536, 2048], segment
    assert [figure.passed for figure in memory(runs)] == [False, True]
    runs.allocated[:], runs.reserved[:] = still, [2_000_000, 4_000_000, 6_000_000, 9_000_000]
    assert [figure.value for figure in memory(runs)] == [0, 2]
