"""The step that a GPU is shown once and repeats: on graphs that a CPU plays, it is the loop."""

import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import METHODS
from naturalinversion import Batch, Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.inversion import invert
from naturalinversion.inversion.cuda_graph import WARM_UP
from naturalinversion.inversion.objective import Objective
from naturalinversion.inversion.step import Step
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import balanced_labels
from tests.naturalinversion.fake_cuda_graph import PlayedGraph, RefusedError

LABELS = balanced_labels(6, 10, 0)
ITERATIONS = 8
SMALL = {"latent": 16, "generator_width": 0.125}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("di", {}),
    ("di", {"keep": "best", "schedule": "cosine"}),
    ("adi", {"plateau": 0.5}),
    ("ni", {}),
    ("ni", {"keep": "last", "schedule": "cosine"}),
    ("ni", {"pyramid": False, "channel_scaling": False}),
    ("ni", {"feature_gradient": True, "one_to_one": False, "shared_latents": "once"}),
    ("ni_adi", {}),
]


def network(arch: str, seed: int) -> nn.Module:
    """A narrow one whose batch norms have seen something."""
    with seeded(seed):
        model = build(arch, 10, 0.125).double().train()
        with torch.no_grad():
            for _ in range(5):
                noise = torch.randn(16, 3, 4, 4, dtype=torch.float64)
                model(F.interpolate(2 * noise, scale_factor=4))
    return model.eval()


def batch(
    name: str, settings: dict[str, Any], arch: str = "resnet18", precision: Precision = "fp32"
) -> Batch:
    """The first of the method's batches."""
    sizes = SMALL | {"shared_batch": len(LABELS)} if name.startswith("ni") else {}
    method = METHODS[name](**{"iterations": ITERATIONS, **sizes, **settings})
    model = network(arch, 0)
    if precision != "fp32":
        model = model.float()
    teacher = Teacher(model, num_classes=10, image_shape=(3, 16, 16), precision=precision)
    method.prepare(teacher, network(arch, 1), 0, Training())
    return method.batch(LABELS, 0, lambda done: None)


def assert_same(one: Batch, other: Batch) -> None:
    torch.testing.assert_close(one.images, other.images, rtol=1e-6, atol=1e-8)
    assert one.losses.keys() == other.losses.keys()
    for term, course in one.losses.items():
        torch.testing.assert_close(course, other.losses[term], rtol=1e-6, atol=1e-9, msg=term)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda value: str(value))
def test_a_replayed_batch_is_the_batch(
    name: str, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    expected = batch(name, settings)
    shown: list[PlayedGraph] = request.getfixturevalue("graphs")
    assert_same(batch(name, settings), expected)
    assert [graph.replayed for graph in shown] == [ITERATIONS - WARM_UP]


@pytest.mark.parametrize("arch", ["vgg11", "mobilenetv2"])
def test_other_classifiers_can_be_captured(arch: str, request: pytest.FixtureRequest) -> None:
    expected = batch("ni_adi", {}, arch)
    request.getfixturevalue("graphs")
    assert_same(batch("ni_adi", {}, arch), expected)


@pytest.mark.parametrize("name", ["di", "ni"])
def test_in_bf16_a_replayed_batch_ends_where_the_loop_does(
    name: str, request: pytest.FixtureRequest
) -> None:
    expected = batch(name, {"iterations": 20}, precision="bf16").losses["total"]
    request.getfixturevalue("graphs")
    found = batch(name, {"iterations": 20}, precision="bf16").losses["total"]
    assert float(found[-5:].mean()) == pytest.approx(float(expected[-5:].mean()), rel=0.05)


def test_each_batch_has_a_graph_of_its_own(graphs: list[PlayedGraph]) -> None:
    assert_same(batch("ni", {}), batch("ni", {}))
    assert len(graphs) == 2


def test_nothing_of_a_batch_outlives_it(
    graphs: list[PlayedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is there for the next at once, and does not wait for the garbage collector."""
    steps: list[weakref.ref[Step]] = []

    def step(*given: Any, **named: Any) -> Step:
        made = Step(*given, **named)
        steps.append(weakref.ref(made))
        return made

    monkeypatch.setattr(invert, "Step", step)
    gc.disable()
    try:
        batch("ni", {"schedule": "cosine"})
    finally:
        gc.enable()
    graphs.clear()
    assert [made() for made in steps] == [None]


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda images: images.sum().item(), "_local_scalar_dense"),
        (lambda images: images[images > 0].sum(), "index"),
        (lambda images: images.new_tensor([1.0]), "lift_fresh"),
        (lambda images: images + torch.zeros(3, 1, 1), "device"),
    ],
)
def test_what_a_gpu_refuses_is_refused(
    spoil: Any, refused: str, graphs: list[PlayedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = Objective.terms

    def spoiled(objective: Objective, images: Tensor) -> dict[str, Tensor]:
        spoil(images)
        return terms(objective, images)

    monkeypatch.setattr(Objective, "terms", spoiled)
    with pytest.raises((RefusedError, RuntimeError), match=refused):
        batch("di", {})
    assert len(graphs) == 1
