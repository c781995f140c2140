"""Settings that a method can't work with are refused in one line that names them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines import METHODS
from baselines.deep_inversion import DeepInversion
from naturalinversion import Teacher, Training, synthesize
from naturalinversion.errors import SettingError, TeacherError
from naturalinversion.inversion.objective import Objective, Weights
from tests.naturalinversion.teacher.zoo import ZOO

MakeTeacher = Callable[..., Teacher]
pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("ni", {"keep": "bets"}, "keep is 'bets': one of best, last"),
    ("di", {"schedule": "cosin"}, "schedule is 'cosin': one of constant, cosine"),
    (
        "ni",
        {"pyramid_head": "conv-tanh"},
        "pyramid_head is 'conv-tanh': one of conv_tanh, tanh, none",
    ),
    ("ni", {"bare_head": None}, "bare_head is None: one of auto, conv_tanh, tanh, none"),
    ("ni_adi", {"shared_latents": "one"}, "shared_latents is 'one': one of every step, once"),
    ("cmi", {"taps": "stage"}, "taps is 'stage': one of batch norms, stages"),
    ("fast", {"meta": "fomaml"}, "meta is 'fomaml': one of maml, reptile, none"),
    ("di", {"iterations": 3.0}, "iterations is 3.0, not int"),
    ("di", {"iterations": "3"}, "iterations is '3', not int"),
    ("di", {"jitter": 1.5}, "jitter is 1.5, not int"),
    ("di", {"rate": "0.1"}, "rate is '0.1', not float"),
    ("di", {"rate": torch.zeros(2, 2)}, "rate is tensor([[0., 0.], [0., 0.]]), not float"),
    ("adi", {"compete": None}, "compete is None, not float"),
    ("ni", {"latent": 8.0}, "latent is 8.0, not int"),
    ("ni", {"flip": "no"}, "flip is 'no', not bool"),
    ("ni", {"pyramid_stages": 1}, "pyramid_stages is 1, not tuple[int, ...] | None"),
    ("dafl", {"milestones": 0.4}, "milestones is 0.4, not tuple[float, ...]"),
    ("dfad", {"milestones": ("0.4",)}, "milestones is ('0.4',), not tuple[float, ...]"),
    ("cmi", {"negatives": 6.0}, "negatives is 6.0, not int"),
    ("fast", {"warmup": True}, "warmup is True, not int"),
    ("dfad", {"student_steps": 0}, "student_steps is 0: 1 or more"),
    ("fast", {"statistics_momentum": 5.0}, "statistics_momentum is 5: 0 to 1"),
    ("fast", {"reset": 3.0}, "reset is 3: 0 to 1"),
    ("fast", {"reset_gain": math.inf}, "reset_gain is inf: a finite number"),
    ("di", {"bn_statistics": math.nan}, "bn_statistics is nan: 0 or more"),
    ("cmi", {"adversarial": math.nan}, "adversarial is nan: 0 or more"),
    ("dafl", {"activation": math.inf}, "activation is inf: 0 or more"),
    ("di", {"total_variation": -1.0}, "total_variation is -1: 0 or more"),
    ("dafl", {"information_entropy": -5.0}, "information_entropy is -5: 0 or more"),
    ("dafl", {"milestones": (800, 1600)}, "milestones are 800, 1600: fractions of the run, 0 to 1"),
    ("dfad", {"milestones": (math.nan,)}, "milestones are nan: fractions of the run, 0 to 1"),
    ("dafl", {"gamma": -1.0}, "gamma is -1: above zero"),
    ("dfad", {"gamma": 10.0}, "gamma is 10: 0 to 1"),
    ("dafl", {"momentum": 2.0}, "momentum is 2: 0 or more, below 1"),
    ("cmi", {"momentum": 1.0}, "momentum is 1: 0 or more, below 1"),
    ("dafl", {"temperature": 0.0}, "temperature is 0: above zero"),
    ("ni", {"fixed_scale": math.nan}, "fixed_scale is nan: a finite number"),
    (
        "di",
        {"compete": 10.0},
        "compete is 10, which is for methods that compete with a student: DeepInversion does not",
    ),
    (
        "ni",
        {"compete": 0.1},
        "compete is 0.1, which is for methods that compete with a student: NaturalInversion does "
        "not",
    ),
    (
        "di",
        {"cross_entropy": 0, "bn_statistics": 0, "total_variation": 0, "l2": 0},
        "cross_entropy, bn_statistics, total_variation, l2, compete are all 0: nothing to minimise",
    ),
]


@pytest.mark.parametrize(("name", "settings", "says"), REFUSED, ids=lambda value: str(value)[:40])
def test_it_is_refused_in_one_line(name: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError) as caught:
        METHODS[name](**settings)
    assert str(caught.value) == says


def test_numbers_of_recipes_and_of_numpy_are_taken() -> None:
    """TOML has 1 for 1.0, and a sweep over `numpy.linspace` its own numbers."""
    one: Any = METHODS["dafl"](rate_generator=1, temperature=np.float32(2), epochs=np.int64(3))
    assert one.prepare_steps == 3 * 120
    for milestones in ([0.25, np.float64(0.5)], np.array([0.25, 0.5]), range(1)):
        METHODS["dafl"](milestones=milestones)
    METHODS["ni"](pyramid_stages=[0, 1])


def test_a_subclass_may_have_fields_of_any_type() -> None:
    """Also of types that can be looked up nowhere but in the function that defines it."""

    class Local:
        pass

    @dataclass(kw_only=True)
    class Mine(DeepInversion):
        initial: torch.Tensor | None = None
        start: Callable[[int], int] | None = None
        device: torch.device | str = "cpu"
        part: "Local | None" = None

    Mine(initial=torch.zeros(1), start=abs, device=torch.device("cpu"), part=Local())
    with pytest.raises(SettingError, match=r"^iterations is 3.0, not int$"):
        Mine(iterations=3.0)  # type: ignore[arg-type]


def test_a_precision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TeacherError, match=r"^precision is 'bfloat16': one of fp32, tf32, bf16$"):
        Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments(), precision="bfloat16")


def test_competition_needs_its_student(make_teacher: MakeTeacher) -> None:
    method: Any = METHODS["adi"](iterations=1)
    method.prepare(make_teacher(), None, 0, Training())
    with pytest.raises(SettingError, match=r"^compete is 10, and there is no student$"):
        method.batch(torch.arange(4), 0, lambda done: None)


@pytest.mark.parametrize("term", ["cross_entropy", "bn_statistics", "total_variation"])
def test_a_term_without_weight_is_not_computed(
    term: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    losses: list[str] = []
    synthesize(
        DeepInversion(iterations=1, **{term: 0.0}),
        make_teacher(),
        tmp_path,
        batches=1,
        batch_size=4,
        on_batch=lambda index, batch: losses.extend(batch.losses),
    )
    assert set(losses) == {"cross_entropy", "bn_statistics", "total_variation", "total"} - {term}


def test_the_norms_keep_their_balance_with_cross_entropy_at_other_batch_sizes(
    make_teacher: MakeTeacher,
) -> None:
    """What one of so many equal images feels of R_TV and R_l2, in units of the cross-entropy."""
    teacher = make_teacher()
    image = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))
    published = Weights(bn_statistics=0.0, total_variation=6e-3, l2=1.5e-5)

    def balance(size: int, weights: Weights) -> list[float]:
        images = image.repeat(size, 1, 1, 1).requires_grad_()
        objective = Objective(teacher, torch.zeros(size, dtype=torch.int64), weights)
        terms = objective.terms(images)
        felt = {
            name: torch.autograd.grad(getattr(weights, name) * term, images, retain_graph=True)[0]
            for name, term in terms.items()
        }
        norms = {name: float(gradient[0].norm()) for name, gradient in felt.items()}
        return [norms[name] / norms["cross_entropy"] for name in ("total_variation", "l2")]

    expected = balance(256, published)
    small = published.for_batch(64, 256)
    assert published.for_batch(256, 256) == published
    assert small.cross_entropy == published.cross_entropy
    assert balance(64, small) == pytest.approx(expected, rel=1e-3)
    assert balance(64, published) == pytest.approx([value / 2 for value in expected], rel=1e-3)
    assert published.for_batch(64, 0) == published, "without a reference they stay"
