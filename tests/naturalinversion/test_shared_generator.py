"""One generator for all batches (Table 3): which iterate is kept, and how often latents change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from naturalinversion import NaturalInversion, Teacher, Training
from naturalinversion.generator.generated_images import GeneratedImages

MakeTeacher = Callable[..., Teacher]
ITERATIONS, LABELS = 3, torch.arange(8) % 4


def trained(teacher: Teacher, **settings: Any) -> dict[str, Tensor]:
    """The shared generator's state after its training."""
    small = {"iterations": ITERATIONS, "latent": 8, "generator_width": 0.1, "shared_batch": 8}
    method = NaturalInversion(one_to_one=False, **small, **settings)
    method.prepare(teacher, None, 0, Training())
    return method.state_dict()


def test_the_last_iterate_is_kept_whatever_keep_says(make_teacher: MakeTeacher) -> None:
    best, last = (trained(make_teacher(), keep=keep) for keep in ("best", "last"))
    assert last.keys() == best.keys()
    for name, tensor in last.items():
        assert torch.equal(best[name], tensor), name


@pytest.mark.parametrize(("latents", "expected"), [("every step", ITERATIONS), ("once", 0)])
def test_latents_are_drawn_anew_in_every_step_or_not_at_all(
    latents: str, expected: int, make_teacher: MakeTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Tensor] = []
    redraw = GeneratedImages.redraw

    def watched(source: GeneratedImages, draws: torch.Generator) -> None:
        redraw(source, draws)
        drawn.append(source.latent.clone())

    monkeypatch.setattr(GeneratedImages, "redraw", watched)
    trained(make_teacher(), shared_latents=latents)
    assert len(drawn) == expected
    assert len({tuple(latent.flatten().tolist()) for latent in drawn}) == expected
