"""The methods' own code against float64 traces of the published loops, to 1e-9 relative.

`golden/parity.json` was computed by independent plain code on networks filled by a rule, so any
machine can repeat it: ResNet-18 of an eighth of the width as teacher and student, batch 16.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.deep_inversion import Pixels
from naturalinversion import Teacher, priors
from naturalinversion.classifiers import build
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.generated_images import GeneratedImages
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.inversion.invert import InversionResult, invert
from naturalinversion.inversion.jitter import IterationShifts, Shift
from naturalinversion.inversion.objective import Objective, Weights

TRACE = json.loads((Path(__file__).parent / "golden" / "parity.json").read_text())
LABELS = torch.arange(16) % 10
NOWHERE = Shift(0, 0)


def filled(seed: int, kind: str, shape: list[int], module: str) -> Tensor:
    noise = np.random.default_rng(seed).standard_normal(shape)
    if kind == "weight":
        noise *= np.sqrt(1 / np.prod(shape[1:])) * (6 if module == "fc" else 1)
    elif kind == "bias":
        noise *= 0.01
    elif kind == "bn_weight":
        noise = 1 + 0.1 * noise
    elif kind in ("bn_bias", "running_mean"):
        noise *= 0.1
    elif kind == "running_var":
        noise = np.abs(1 + 0.1 * noise)
    return torch.from_numpy(noise)


RENAMED = {
    "teacher": {"conv": "conv1", "bn": "bn1", "fc": "fc"},
    "generator": {"l3": "project"},
    "pyramid": {"o": "reduce.3", "mix": "mix"},
}


def our_name(who: str, module: str) -> str:
    who = "teacher" if who == "student" else who
    if module in RENAMED[who]:
        return RENAMED[who][module]
    if who == "teacher":  # stages.1.0.sc.0 -> layer2.0.downsample.0
        _, stage, block, inner = module.split(".", 3)
        return f"layer{int(stage) + 1}.{block}.{inner.replace('sc', 'downsample')}"
    if who == "generator":
        return module.replace("conv_block", "body")
    return module.replace("w1", "reduce").replace("w3", "merge")


def fill(module: nn.Module, who: str) -> nn.Module:
    (tensors,) = (g["tensors"] for g in TRACE["tensors"] if g["who"] == who)
    state = module.state_dict()
    for tensor in tensors:
        kind = tensor["kind"].removeprefix("bn_")
        name = f"{our_name(who, tensor['module'])}.{kind}"
        assert list(state[name].shape) == tensor["shape"], name
        state[name] = filled(tensor["seed"], tensor["kind"], tensor["shape"], tensor["module"])
    module.double().load_state_dict(state)
    return module


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher(fill(build("resnet18", 10, 0.125), "teacher"), num_classes=10)


@pytest.fixture(scope="module")
def student() -> nn.Module:
    return fill(build("resnet18", 10, 0.125), "student").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def x0() -> Tensor:
    return torch.from_numpy(np.random.default_rng(5002).standard_normal((16, 3, 32, 32)))


def close(value: float | Tensor, expected: float | list[float]) -> None:
    np.testing.assert_allclose(torch.as_tensor(value).numpy(), expected, rtol=1e-9, atol=1e-12)


def test_every_term_on_the_same_images(teacher: Teacher, student: nn.Module, x0: Tensor) -> None:
    seen = teacher.observe(x0, statistics=True, maps=True, embedding=True)
    answer = student(x0)
    assert seen.embedding is not None
    expected = TRACE["on_x0"]
    divergence = priors.compete_divergence(answer, seen.logits)
    measured = {
        "cross_entropy": F.cross_entropy(seen.logits, LABELS),
        "bn_statistics": priors.bn_statistics(seen.statistics),
        "total_variation": priors.total_variation(x0),
        "l2": priors.l2(x0),
        "adi_D_clamped_0.01_0.99": divergence,
        "adi_compete": priors.compete(answer, seen.logits),
        "dafl_one_hot": priors.one_hot(seen.logits),
        "dafl_information_entropy_log10": priors.information_entropy(seen.logits),
        "dafl_activation": priors.activation(seen.embedding),
        "dafl_kd_kl": priors.distillation(answer, seen.logits, 1.0),
        "dfad_l1": priors.disagreement(answer, seen.logits),
        "kd_kl_tau3": priors.distillation(answer, seen.logits, 3.0),
        "logits_0": seen.logits[0],
        "stage_means": torch.stack([m.mean() for m in seen.maps]),
        "embedding_mean": seen.embedding.mean(),
    }
    assert measured.keys() == expected.keys()
    for name, value in measured.items():
        close(value, expected[name])


def check_images(images: Tensor, expected: dict[str, Any]) -> None:
    close(images.mean(), expected["mean"])
    close(images.std(), expected["std"])
    close(torch.linalg.vector_norm(images), expected["l2"])
    close(images.abs().max(), expected["abs_max"])
    close(images[0, 0, 16, 8:12], expected["pixels_0_0_16_8to12"])


def check_trace(result: InversionResult, expected: list[dict[str, float]]) -> None:
    assert set(result.losses) == set(expected[0])
    for name, history in result.losses.items():
        close(history, [row[name] for row in expected])


def weights(section: dict[str, Any]) -> Weights:
    given = section["weights"]
    names = {"ce": "cross_entropy", "bn": "bn_statistics", "tv": "total_variation"}
    return Weights(**{names.get(name, name): value for name, value in given.items()})


def generated(teacher: Teacher) -> GeneratedImages:
    section = TRACE["natural_inversion"]
    scale = 5 + np.random.default_rng(5000).standard_normal((16, 3, 1, 1))
    latent = np.random.default_rng(5001).standard_normal((16, 1024))
    generator = fill(ConditionalGenerator(10), "generator")
    pyramid = fill(FeatureTransferPyramid(teacher.stages, 32), "pyramid")
    assert isinstance(generator, ConditionalGenerator)
    assert isinstance(pyramid, FeatureTransferPyramid)
    return GeneratedImages(
        teacher,
        generator,
        pyramid,
        torch.from_numpy(scale),
        latent=torch.from_numpy(latent),
        labels=LABELS,
        rates=tuple(section["lr"][k] for k in ("generator", "pyramid", "alpha")),
    )


def natural_draws() -> list[IterationShifts]:
    rows = TRACE["natural_inversion"]["jitter_dy_dx_flip"]
    return [IterationShifts(Shift(*first), Shift(*second)) for first, second in rows]


def rendered(source: GeneratedImages) -> Tensor:
    with torch.no_grad():
        return source.render(None)


def test_natural_inversion_loop(teacher: Teacher) -> None:
    """The losses of all steps, the last iterate, and the best, which is another."""
    section = TRACE["natural_inversion"]
    source, draws = generated(teacher), natural_draws()
    check_images(rendered(source), section["before"])
    done = 0

    def check_the_last() -> None:
        nonlocal done
        done += 1
        if done == len(draws):
            check_images(rendered(source), section["after"])

    objective = Objective(teacher, LABELS, weights(section))
    result = invert(source, objective, draws, keep="best", on_iteration=check_the_last)
    assert done == len(draws)
    check_trace(result, section["trace"])
    check_images(result.images, section["best"])


@pytest.mark.parametrize("name", ["deep_inversion", "adaptive_deep_inversion"])
def test_deep_inversion_loops(name: str, teacher: Teacher, student: nn.Module, x0: Tensor) -> None:
    section = TRACE[name]
    rolls = TRACE["deep_inversion"]["jitter_dy_dx"]
    result = invert(
        Pixels(x0.clone(), section["lr"]),
        Objective(teacher, LABELS, weights(section), student),
        [IterationShifts(NOWHERE, Shift(dy, dx)) for dy, dx in rolls],
        keep="last",
    )
    check_trace(result, section["trace"])
    check_images(result.images, section["after"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
