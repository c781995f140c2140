"""All batches of a method through one captured step: each is the same as if made alone."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from naturalinversion import synthesize
from naturalinversion.errors import DivergedError
from naturalinversion.inversion import captured_batches, invert, loss_history
from naturalinversion.inversion.cuda_graph import WARM_UP
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import Step
from tests.naturalinversion.fake_cuda_graph import Event, FakeGraph
from tests.naturalinversion.small_methods import (
    CASES,
    ITERATIONS,
    LABELS,
    assert_close,
    assert_identical,
    batch,
    network,
    prepared,
    teacher,
)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda value: str(value))
def test_batches_of_one_capture_are_those_made_alone(
    name: str, settings: dict[str, Any], graphs: list[FakeGraph]
) -> None:
    alone = batch(prepared(name, settings), 1)
    graphs.clear()
    method = prepared(name, settings)
    first = batch(method, 0)
    assert_identical(batch(method, 1), alone)
    assert_identical(batch(method, 0), first)
    assert len(graphs) == 1
    if name == "di" or settings.get("one_to_one", True):
        assert not torch.equal(first.images, alone.images)


def test_later_batches_do_not_change_an_earlier_one(graphs: list[FakeGraph]) -> None:
    """Batches use the same tensors, so results must be copies."""
    method = prepared("ni", {"keep": "last"})
    first = batch(method)
    images, losses = first.images.clone(), {n: c.clone() for n, c in first.losses.items()}
    batch(method, 1)
    assert torch.equal(first.images, images)
    assert all(torch.equal(first.losses[name], losses[name]) for name in losses)


def test_a_source_that_was_passed_in_is_the_optimised_one(graphs: list[FakeGraph]) -> None:
    method: Any = prepared("ni", {"keep": "last"})
    sources = [method.source(LABELS, seed) for seed in (0, 1)]
    for seed, source in enumerate(sources):
        made = method._invert(source, LABELS, seed, lambda done: None, "last")
        with torch.no_grad():
            assert torch.equal(source.render(None), made.images)
    assert int(sources[0].generator.body[0].num_batches_tracked) == ITERATIONS + 2  # rendered twice


def nothing(method: Any) -> None:
    pass


def student_in_place(method: Any) -> None:
    with torch.no_grad():
        for parameter in method._student.parameters():
            parameter.mul_(1.1)


@pytest.mark.parametrize("change", [nothing, student_in_place], ids=lambda c: c.__name__)
def test_what_a_replay_reads_anew_needs_no_new_capture(
    change: Callable[[Any], None], graphs: list[FakeGraph]
) -> None:
    method = prepared("adi", {})
    batch(method)
    change(method)
    made = batch(method, 1)
    assert len(graphs) == 1
    method._captured.release()
    assert_identical(batch(method, 1), made)


def determinism(method: Any) -> None:
    torch.use_deterministic_algorithms(not torch.are_deterministic_algorithms_enabled())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("adi", lambda m: setattr(m, "_student", network("vgg5", 2)), id="student"),
        pytest.param("adi", lambda m: m._student.float().double(), id="student moved"),
        pytest.param("di", lambda m: setattr(m, "_teacher", teacher("vgg11")), id="teacher"),
        pytest.param(
            "di", lambda m: m._teacher.model.features[0].weight.mul_(1.1), id="teacher's weights"
        ),
        pytest.param("di", lambda m: setattr(m._teacher, "precision", "bf16"), id="precision"),
        pytest.param("adi", lambda m: setattr(m, "compete", 5.0), id="a weight of the loss"),
        pytest.param("ni", lambda m: setattr(m, "rate_generator", 0.01), id="a learning rate"),
        pytest.param("di", lambda m: setattr(m, "iterations", 2), id="iterations"),
        pytest.param("di", lambda m: setattr(m, "schedule", "cosine"), id="schedule"),
        pytest.param("ni", lambda m: setattr(m, "keep", "last"), id="keep"),
        pytest.param("ni", lambda m: setattr(m, "pyramid_stages", (1,)), id="pyramid"),
        pytest.param("di", determinism, id="determinism"),
        pytest.param(
            "di",
            lambda m: setattr(torch.backends.cudnn, "benchmark", True),
            id="cudnn's benchmark",
        ),
    ],
)
def test_a_change_that_the_step_depends_on_makes_a_new_capture(
    name: str, change: Callable[[Any], Any], graphs: list[FakeGraph]
) -> None:
    """Its batch is that of a method which captured no other before."""
    method = prepared(name, {"iterations": 1})
    batch(method)
    change(method)
    made = batch(method, 1)
    assert len(graphs) == 2
    method._captured.release()
    assert_identical(batch(method, 1), made)


def test_another_number_of_labels_makes_a_new_step(graphs: list[FakeGraph]) -> None:
    method: Any = prepared("di", {})
    batch(method)
    few = method.batch(LABELS[:4], 1, lambda done: None)
    assert len(graphs) == 2
    assert len(few.images) == 4
    alone: Any = prepared("di", {})
    assert_identical(few, alone.batch(LABELS[:4], 1, lambda done: None))


def test_step_and_graph_are_freed_with_the_method(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At once, not only by the garbage collector: the next cell needs the memory."""
    held: list[weakref.ref[Any]] = []

    def step(*given: Any, **named: Any) -> Step:
        made = Step(*given, **named)
        held.extend(weakref.ref(part) for part in (made, made.source, made.optimizer))
        return made

    monkeypatch.setattr(captured_batches, "Step", step)
    gc.disable()
    try:
        method: Any = prepared("ni", {"schedule": "cosine"})
        synthesize(method, teacher(), tmp_path, batches=2, batch_size=6)
        held.extend([weakref.ref(graph) for graph in graphs])
        graphs.clear()
        assert all(part() is not None for part in held)
        del method
        assert [part() for part in held] == [None] * 4
    finally:
        gc.enable()


def test_the_old_step_is_freed_before_another_is_captured(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of two is never allocated."""
    method: Any = prepared("di", {})
    batch(method)
    first, alive = weakref.ref(graphs.pop()), []

    def step(*given: Any, **named: Any) -> Step:
        alive.append(first() is not None)
        return Step(*given, **named)

    monkeypatch.setattr(captured_batches, "Step", step)
    method.iterations += 1
    gc.disable()
    try:
        batch(method)
    finally:
        gc.enable()
    assert alive == [False]


def test_the_shared_generators_step_is_freed_after_its_training(
    graphs: list[FakeGraph],
) -> None:
    method = prepared("ni", {"one_to_one": False, "shared_latents": "once"})
    assert len(graphs) == 1
    only = weakref.ref(graphs.pop())
    assert only() is None
    batch(method)


def spoil_from(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is the images' norm, and NaN from this iteration on."""
    calls = torch.zeros((), dtype=torch.int64)

    def terms(objective: Objective, images: torch.Tensor) -> dict[str, torch.Tensor]:
        norm = images.square().sum()
        calls.add_(1)
        return {"l2": torch.where(calls > iteration + WARM_UP, torch.nan * norm.detach(), norm)}

    monkeypatch.setattr(Objective, "terms", terms)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are copied every four iterations, in place of every two hundred."""
    monkeypatch.setattr(invert, "CHECK_EVERY", 2)
    monkeypatch.setattr(loss_history, "COPY_EVERY", 4)


@pytest.mark.parametrize(("broken", "noticed"), [(0, 8), (3, 8), (4, 12), (7, 12)])
@pytest.mark.usefixtures("often")
def test_a_loss_that_is_not_finite_is_noticed_without_waiting(
    broken: int, noticed: int, graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One copy of the losses after the copy that holds it."""
    before = 13
    spoil_from(before + broken, monkeypatch)
    method: Any = prepared("di", {"iterations": before, "l2": 1.0})
    method.batch(LABELS[:2], 0, lambda done: None)
    done: list[int] = []
    monkeypatch.setattr(Event, "waited", 0)
    with pytest.raises(DivergedError, match=f"l2 became nan at iteration {broken}$"):
        method.batch(LABELS[:2], 1, done.append)
    assert len(done) == noticed
    assert Event.waited == noticed // 4 - 1


@pytest.mark.usefixtures("often")
def test_a_loss_that_is_not_finite_at_the_end_is_noticed_there(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_from(5, monkeypatch)
    method: Any = prepared("di", {"iterations": 6, "l2": 1.0})
    with pytest.raises(DivergedError, match=r"l2 became nan at iteration 5$"):
        method.batch(LABELS[:2], 0, lambda done: None)
    assert not Event.waited


def test_a_batch_that_diverged_does_not_affect_the_next(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    method: Any = prepared("di", {"keep": "best"})
    expected = batch(prepared("di", {"keep": "best"}), 1)
    graphs.clear()
    pixels = method.source(LABELS, 0)
    with torch.no_grad():
        pixels.images.fill_(torch.nan)
    with pytest.raises(DivergedError):
        method._invert(pixels, LABELS, 0, lambda done: None, "best")
    assert_identical(batch(method, 1), expected)
    assert len(graphs) == 1


def test_batches_of_one_capture_are_those_of_the_loop(request: pytest.FixtureRequest) -> None:
    method = prepared("ni_adi", {})
    expected = [batch(method, seed) for seed in (0, 1)]
    request.getfixturevalue("graphs")
    method = prepared("ni_adi", {})
    for seed in (0, 1):
        assert_close(batch(method, seed), expected[seed])
