"""Fidelity: the numbers are torch-fidelity's, and the right way round."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity
from msgspec import structs
from PIL import Image
from torch import Tensor

from benchmarks.datasets.load import load
from benchmarks.evaluation.fidelity import torch_fidelity_api
from benchmarks.evaluation.fidelity.extractors import Extractor, FeatureLayers, find_extractor
from benchmarks.evaluation.fidelity.features import extract
from benchmarks.evaluation.fidelity.metrics import check_counts, equal_parts, measure
from benchmarks.evaluation.fidelity.prd import PRD
from benchmarks.recipes.schema import FidelityMetrics
from naturalinversion.errors import BenchmarkError
from naturalinversion.seeds import derive
from tests.benchmarks.evaluation.fidelity.tiny import CPU, LITE, colours, noise

SEED = 0
PROTOCOL = FidelityMetrics(
    extractor="tiny",
    reference="train",
    neighbours=3,
    splits=5,
    clusters=6,
    clustering_runs=2,
)


def judge(images: Tensor, real: Tensor, extractor: Extractor, **changes: Any) -> dict[str, float]:
    protocol = structs.replace(PROTOCOL, **changes)
    found = [extract(part, extractor, CPU) for part in (images, real)]
    return measure(found[0], found[1], extractor.layers, protocol, SEED, CPU)


def export(images: Tensor, folder: Path) -> str:
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number:04d}.png")
    return str(folder)


def by_hand(images: Tensor, real: Tensor, extractor: Extractor, folder: Path) -> dict[str, float]:
    """What somebody gets who hands the PNGs to torch-fidelity."""
    seed = derive(SEED, "subsets") % 2**32
    common: dict[str, Any] = {
        "input1": export(images, folder / "synthetic"),
        "input2": export(real, folder / "real"),
        "feature_extractor": extractor.name,
        "feature_extractor_weights_path": str(extractor.weights),
        "cuda": False,
        "verbose": False,
        "cache": False,
        "save_cpu_ram": True,
    }
    found = torch_fidelity.calculate_metrics(
        **common,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        isc_splits=PROTOCOL.splits,
        prc_neighborhood=PROTOCOL.neighbours,
        kid_subset_size=min(len(images), len(real)),
        rng_seed=seed,
    )
    early = torch_fidelity.calculate_metrics(
        **common, fid=True, feature_layer_fid=extractor.layers.early
    )
    return {
        "inception_score": found["inception_score_mean"],
        "inception_score_sd": found["inception_score_std"],
        "fid": found["frechet_inception_distance"],
        "fid_early": early["frechet_inception_distance"],
        "kid": found["kernel_inception_distance_mean"],
        "precision": found["precision"],
        "recall": found["recall"],
    }


def test_the_numbers_are_those_of_torch_fidelity_on_png_files(
    tiny: Extractor, tmp_path: Path
) -> None:
    images, real = colours(60, 60, 200, 1), colours(60, 40, 180, 2)
    found = judge(images, real, tiny)
    expected = by_hand(images, real, tiny, tmp_path)
    assert 0 < expected["precision"] < 1
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert sorted(set(found) - set(expected)) == ["f1_8", "f8"]


def test_the_same_with_efficientnet(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path, image_size=16).train.images
    images, real = digits[:12], digits[12:24]
    extractor = find_extractor(LITE)
    found = judge(images, real, extractor)
    expected = by_hand(images, real, extractor, tmp_path)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-4)
    worse = judge(noise(12, 16, 0), real, extractor)
    for distance in ("fid", "fid_early", "kid"):
        assert worse[distance] > 3 * found[distance]
    assert (worse["precision"], worse["recall"]) == (0, 0)


def test_a_collapsed_set_has_precision_and_a_broad_one_recall(tiny: Extractor) -> None:
    real = colours(200, 60, 190, 0)
    few = real[:4].repeat(50, 1, 1, 1).int() + torch.arange(200).view(-1, 1, 1, 1) % 3
    collapsed = judge(few.to(torch.uint8), real, tiny)
    assert collapsed["precision"] > 0.9
    assert collapsed["recall"] < 0.2
    assert collapsed["f1_8"] > collapsed["f8"] + 0.2
    broad = judge(colours(200, 0, 252, 1), real, tiny, clusters=40)
    assert broad["recall"] > broad["precision"] + 0.3
    assert broad["f8"] > broad["f1_8"] + 0.2


def test_identical_sets_are_at_no_distance(tiny: Extractor) -> None:
    images = colours(50, 20, 230, 0)
    found = judge(images, images.clone(), tiny)
    assert (found["precision"], found["recall"]) == (1, 1)
    assert found["f8"] == pytest.approx(1, abs=1e-6)
    assert found["f1_8"] == pytest.approx(1, abs=1e-6)
    assert abs(found["fid"]) < 1e-4
    assert abs(found["fid_early"]) < 1e-4
    assert found["kid"] < 1e-3


def test_prd_is_of_the_protocols_clusters_and_clusterings(
    tiny: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, int]] = []

    def watched(one: Tensor, other: Tensor, **settings: int) -> PRD:
        calls.append(settings | {"count": len(one), "other": len(other)})
        return PRD(0.25, 0.75)

    monkeypatch.setattr("benchmarks.evaluation.fidelity.metrics.prd", watched)
    found = judge(colours(40, 60, 200, 1), colours(50, 40, 180, 2), tiny, clustering_runs=7)
    assert calls == [{"clusters": 6, "runs": 7, "seed": SEED, "count": 40, "other": 40}]
    assert (found["f8"], found["f1_8"]) == (0.25, 0.75)


def test_neighbours_are_counted_in_sets_of_one_size(tiny: Extractor) -> None:
    one, other = torch.arange(10.0)[:, None], torch.arange(25.0)[:, None]
    kept, part = equal_parts(one, other, 0)
    assert torch.equal(kept, one)
    assert len(set(part.flatten().tolist())) == 10
    assert torch.equal(part, equal_parts(one, other, 0)[1])
    assert not torch.equal(part, equal_parts(one, other, 1)[1])
    assert torch.equal(equal_parts(other, one, 0)[0], part)
    images, real = colours(40, 60, 200, 1), colours(160, 40, 180, 2)
    found = judge(images, real, tiny)
    _, kept_features = equal_parts(torch.empty(40, 1), torch.arange(160.0), SEED)
    assert found["recall"] == judge(images, real[kept_features.long()], tiny)["recall"]


@pytest.mark.parametrize(
    ("synthetic", "real", "subset"), [(1100, 1100, 1000), (60, 60, 60), (1100, 60, 60)]
)
def test_kid_is_of_subsets_of_a_thousand_of_all_images_or_of_as_many_as_there_are(
    synthetic: int, real: int, subset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its spread depends on their size."""
    calls: list[tuple[int, int, int]] = []

    def kernel_distance(one: Tensor, other: Tensor, *, kid_subset_size: int, **_: Any) -> Any:
        calls.append((len(one), len(other), kid_subset_size))
        return {torch_fidelity.KEY_METRIC_KID_MEAN: 0.25}

    monkeypatch.setattr(torch_fidelity_api, "kid_features_to_metric", kernel_distance)
    draws = torch.Generator().manual_seed(0)
    layers = FeatureLayers("early", "final", "logits")
    features = [
        {layer: torch.randn(count, 4, generator=draws) for layer in ("early", "final", "logits")}
        for count in (synthetic, real)
    ]
    found = measure(features[0], features[1], layers, PROTOCOL, SEED, CPU)
    assert calls == [(synthetic, real, subset)]
    assert found["kid"] == 0.25


@pytest.mark.parametrize(
    ("synthetic", "real", "changes", "message"),
    [
        (1, 50, {}, "FID needs 2 images, there are 1 (1 to judge, 50 real)"),
        (50, 1, {}, "FID needs 2 images, there are 1 (50 to judge, 1 real)"),
        (4, 50, {}, "the Inception Score needs 5 images, there are 4 (4 to judge, 50 real)"),
        (50, 3, {"clusters": 2}, "k-NN precision and recall needs 4 images, there are 3"),
        (5, 50, {}, "PRD needs 6 images, there are 5"),
    ],
)
def test_too_few_images_name_the_metric(
    synthetic: int, real: int, changes: dict[str, int], message: str, tiny: Extractor
) -> None:
    images, others = noise(synthetic, 8, 0), noise(real, 8, 1)
    with pytest.raises(BenchmarkError) as caught:
        judge(images, others, tiny, **changes)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 1


def test_the_fewest_images_that_will_do_do(tiny: Extractor) -> None:
    check_counts(6, 6, PROTOCOL)
    assert len(judge(noise(6, 8, 0), noise(6, 8, 1), tiny)) == 9


@pytest.mark.parametrize("layer", ["early", "final", "logits"])
def test_a_number_that_is_none_is_an_error(layer: str, tiny: Extractor) -> None:
    good = extract(noise(20, 8, 0), tiny, CPU)
    bad = {name: values.clone() for name, values in good.items()}
    bad[layer][3, 0] = float("nan")
    with pytest.raises(BenchmarkError, match="the images to judge are not all finite"):
        measure(bad, good, tiny.layers, PROTOCOL, SEED, CPU)
    bad = good | {"logits": good["logits"] - 3000 * torch.arange(10)}
    with pytest.raises(BenchmarkError, match=r"^inception_score of these images is nan"):
        measure(bad, good, tiny.layers, PROTOCOL, SEED, CPU)
