"""Fidelity: the numbers are torch-fidelity's, the right way round, and kept by content."""

import hashlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity
from PIL import Image
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks import kinds
from benchmarks.cells import Cell
from benchmarks.datasets import load
from benchmarks.errors import BenchmarkError, MissingError, UsageError
from benchmarks.fidelity import extractors, features
from benchmarks.fidelity.extractors import Extractor, Family, Layers, find
from benchmarks.fidelity.features import Features, extract, real_features
from benchmarks.fidelity.metrics import Settings, equal_parts, measure, require
from benchmarks.fidelity.step import FeatureStep
from benchmarks.kinds import fidelity
from benchmarks.runner import run_cell
from benchmarks.work import DataSource, Machine, Work
from naturalinversion.images import Meta, write_meta, write_shard
from naturalinversion.seeds import derive

CPU = torch.device("cpu")
MACHINE = Machine("cpu", "fp32", 1)
SETTINGS = Settings(neighbours=3, splits=5, clusters=6, clustering_runs=2, seed=0)
LITE = "efficientnet-lite0"
INCEPTION = "inception-v3-compat"


class Tiny(torch_fidelity.FeatureExtractorBase):  # type: ignore[misc]
    """Pixels pooled to 4x4 and projected; the projection is the file's."""

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, features_list)
        assert feature_extractor_weights_path is not None
        weights = torch.load(feature_extractor_weights_path, weights_only=True)
        self.register_buffer("projection", weights["projection"])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = images.float() / 255
        pooled = torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)  # (N, 48)
        final = pooled @ self.projection
        found = {"early": x.mean(dim=(2, 3)), "final": final, "logits": 3 * final[:, :10]}
        return tuple(found[name] for name in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "early", "final", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "final"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """numpy's and scikit-learn's threads fight for cores that are busy: ten times slower."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    draws = torch.Generator().manual_seed(5)
    path = tmp_path / "tiny.pth"
    torch.save({"projection": torch.randn(48, 16, generator=draws)}, path)
    return path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, weights: Path) -> Extractor:
    """A small extractor, registered with torch-fidelity and with the suite."""
    monkeypatch.setitem(FEATURE_EXTRACTORS_REGISTRY, "tiny", Tiny)
    layers = Layers("early", "final", "logits")
    monkeypatch.setitem(extractors.EXTRACTORS, "tiny", Family(layers, lambda given, fetch: weights))
    return find("tiny")


def colours(count: int, low: int, high: int, seed: int) -> Tensor:
    """Plain images (count, 3, 8, 8) of colours from a cube, with a little grain."""
    draws = torch.Generator().manual_seed(seed)
    plain = torch.randint(low, high, (count, 3, 1, 1), generator=draws)
    grain = torch.randint(0, 4, (count, 3, 8, 8), generator=draws)
    return (plain + grain).clamp(0, 255).to(torch.uint8)


def noise(count: int, size: int, seed: int) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=draws).to(torch.uint8)


def judge(images: Tensor, real: Tensor, extractor: Extractor, **changes: Any) -> dict[str, float]:
    settings = replace(SETTINGS, **changes)
    found = [extract(part, extractor, CPU) for part in (images, real)]
    return measure(found[0], found[1], extractor.layers, settings, CPU)


def export(images: Tensor, folder: Path) -> str:
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number:04d}.png")
    return str(folder)


def by_hand(images: Tensor, real: Tensor, extractor: Extractor, folder: Path) -> dict[str, float]:
    """What somebody gets who hands the PNGs to torch-fidelity."""
    seed = derive(SETTINGS.seed, "subsets") % 2**32
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
        isc_splits=SETTINGS.splits,
        prc_neighborhood=SETTINGS.neighbours,
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
    images, real = digits[:24], digits[24:48]
    extractor = find(LITE)
    found = judge(images, real, extractor)
    expected = by_hand(images, real, extractor, tmp_path)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-4)
    worse = judge(noise(24, 16, 0), real, extractor)
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
    _, kept_features = equal_parts(torch.empty(40, 1), torch.arange(160.0), SETTINGS.seed)
    assert found["recall"] == judge(images, real[kept_features.long()], tiny)["recall"]


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
    require(6, 6, SETTINGS)
    assert len(judge(noise(6, 8, 0), noise(6, 8, 1), tiny)) == 9


@pytest.mark.parametrize("layer", ["early", "final", "logits"])
def test_a_number_that_is_none_is_an_error(layer: str, tiny: Extractor) -> None:
    good = extract(noise(20, 8, 0), tiny, CPU)
    bad = {name: values.clone() for name, values in good.items()}
    bad[layer][3, 0] = float("nan")
    with pytest.raises(BenchmarkError, match="the images to judge are not all finite"):
        measure(bad, good, tiny.layers, SETTINGS, CPU)
    bad = good | {"logits": good["logits"] - 3000 * torch.arange(10)}
    with pytest.raises(BenchmarkError, match=r"^inception_score of these images is nan"):
        measure(bad, good, tiny.layers, SETTINGS, CPU)


# What is kept of real images


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were computed, one entry for every call."""
    calls: list[int] = []

    def count(images: Tensor, *arguments: Any) -> Features:
        calls.append(len(images))
        return extract(images, *arguments)

    monkeypatch.setattr(features, "extract", count)
    return calls


def same(one: Features, other: Features) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_real_features_are_kept_by_the_pixels(
    tiny: Extractor,
    tmp_path: Path,
    counted: list[int],
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = noise(20, 8, 0)
    advance: list[int] = []
    first = real_features(images, tiny, CPU, tmp_path / "cache")
    copy = images.clone()  # another data set with the same pixels
    again = real_features(copy, tiny, CPU, tmp_path / "cache", advance.append)
    assert {name: first[name].dtype for name in first} == dict.fromkeys(first, torch.float32)
    assert same(first, again)
    assert (counted, sum(advance)) == ([20], 20)
    copy[7, 1, 2, 3] ^= 1
    real_features(copy, tiny, CPU, tmp_path / "cache")
    assert len(counted) == 2, "one pixel differs"
    real_features(images.reshape(20, 3, 4, 16), tiny, CPU, tmp_path / "cache")
    assert len(counted) == 3, "the same bytes in another shape"
    torch.save({"projection": torch.ones(48, 16)}, weights)
    other = find("tiny")
    assert other.display != tiny.display
    real_features(images, other, CPU, tmp_path / "cache")
    assert len(counted) == 4, "other weights"
    monkeypatch.setattr(features, "SCHEMA", features.SCHEMA + 1)
    real_features(images, other, CPU, tmp_path / "cache")
    assert len(counted) == 5, "computed otherwise"
    names = [path.name for path in (tmp_path / "cache").glob("*.safetensors")]
    assert sorted(name.split("-")[0] for name in names) == sorted(
        [tiny.display] * 3 + [other.display] * 2
    )


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_file_mends_itself(
    damage: str, tiny: Extractor, tmp_path: Path, counted: list[int]
) -> None:
    images = noise(20, 8, 0)
    first = real_features(images, tiny, CPU, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    path.write_bytes(
        {"cut": whole[:-9], "flipped": bytes(flipped), "empty": b"", "foreign": b"x" * 99}[damage]
    )
    mended = real_features(images, tiny, CPU, tmp_path)
    assert same(first, mended)
    assert path.read_bytes() == whole
    real_features(images, tiny, CPU, tmp_path)
    assert len(counted) == 2


def test_what_was_finished_before_a_stop_is_not_computed_again(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PIECE", 8)
    images, sizes = noise(20, 8, 0), []

    def stopped(images: Tensor, *arguments: Any) -> Features:
        sizes.append(len(images))
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return extract(images, *arguments)

    monkeypatch.setattr(features, "extract", stopped)
    with pytest.raises(KeyboardInterrupt):
        real_features(images, tiny, CPU, tmp_path)
    assert same(real_features(images, tiny, CPU, tmp_path), extract(images, tiny, CPU))
    assert sizes == [8, 8, 4, 4], "only the last piece again"


def test_two_that_want_the_same_share_the_work(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other begins while the first is at its first piece, and takes those after it."""
    monkeypatch.setattr(features, "PIECE", 8)
    images, order = noise(20, 8, 0), []
    other: list[threading.Thread] = []
    answers: list[Features] = []

    def ask() -> None:
        answers.append(real_features(images, tiny, CPU, tmp_path))

    def shared(piece: Tensor, *arguments: Any) -> Features:
        order.append((threading.current_thread() is threading.main_thread(), len(piece)))
        if len(order) == 1:
            other.append(threading.Thread(target=ask))
            other[0].start()
            while len(order) < 3:
                other[0].join(0.01)
        return extract(piece, *arguments)

    monkeypatch.setattr(features, "extract", shared)
    ask()
    other[0].join()
    assert order == [(True, 8), (False, 8), (False, 4)]
    assert same(*answers)
    assert same(answers[0], extract(images, tiny, CPU))


# The networks and their weights


def test_efficientnet_is_the_published_network_and_sees_what_it_was_trained_on() -> None:
    """Folding the batch norms changes nothing, and a palace is a palace."""
    from efficientnet_lite_pytorch import EfficientNet

    extractor = find(LITE)
    assert extractor.display == "efficientnet-lite0@57934424"
    picture = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)
    images = picture[None, :, :, 106:533]
    found = extract(images, extractor, CPU)
    assert {n: tuple(v.shape) for n, v in found.items()} == {
        "stem": (1, 32),
        "1280": (1, 1280),
        "logits_unbiased": (1, 1000),
    }
    plain = EfficientNet.from_name(LITE)
    plain.load_state_dict(torch.load(extractor.weights, weights_only=True))
    x = torch.nn.functional.interpolate(images.float(), size=224, mode="bilinear")
    with torch.no_grad():
        logits = plain.eval()((x - 127) / 128)
    palace = 698
    assert logits.argmax().item() == palace
    unbiased = logits - plain._fc.bias
    assert torch.allclose(found["logits_unbiased"], unbiased, atol=2e-3)


def test_features_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images, extractor = noise(5, 16, 0), find(LITE)
    together = extract(images, extractor, CPU)
    monkeypatch.setattr(features, "CPU_BATCH", 2)
    apart = extract(images, extractor, CPU)
    for name in together:
        assert torch.allclose(together[name], apart[name], atol=1e-4)


def test_an_unknown_extractor_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"^unknown extractor 'vgg': choose inception-v3-compat, "):
        find("vgg")


def test_missing_inception_weights_name_both_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for given in (None, tmp_path / "absent.pth"):
        with pytest.raises(MissingError) as caught:
            find(INCEPTION, given)
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)
        assert "--inception-weights" in str(caught.value)
    with pytest.raises(MissingError, match="--download"):
        find(INCEPTION)


def test_only_a_wanted_download_happens_and_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked: list[tuple[str, str]] = []

    def fetch(url: str, path: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url, hash_prefix))
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(MissingError, match="can't be fetched: invalid hash value"):
        find(INCEPTION, download=True)
    ((url, prefix),) = asked
    assert url.endswith("weights-inception-2015-12-05-6726825d.pth")
    assert prefix == "6726825d"


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    path.write_bytes(b"something else")
    with pytest.raises(
        UsageError, match="is damaged or misnamed: its sha256 begins with"
    ) as caught:
        find(INCEPTION, path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_and_code_are_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    for name, content in (("evil.pth", Evil()), ("other.pth", {"fc.weight": torch.ones(2)})):
        torch.save(content, tmp_path / name)
        extractor = find(INCEPTION, tmp_path / name)
        with pytest.raises(UsageError, match=f"{name} can't be used as weights of") as caught:
            extract(noise(2, 8, 0), extractor, CPU)
        assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_inception_is_fed_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:  # a network as it is born
        patch.setattr(
            "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url",
            lambda *args, **kwargs: {},
        )
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        born = FeatureExtractorInceptionV3(INCEPTION, ["2048"])
    path = tmp_path / "born.pth"
    torch.save(born.state_dict(), path)
    named = tmp_path / f"born-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(named)
    extractor = find(INCEPTION, named)
    assert extractor.display == f"{INCEPTION}@{named.stem[-8:]}"
    images = noise(2, 16, 0)
    found = extract(images, extractor, CPU)
    sizes = {name: values.shape[1] for name, values in found.items()}
    assert sizes == {"64": 64, "2048": 2048, "logits_unbiased": 1008}
    assert torch.allclose(found["2048"], born(images)[0], atol=1e-5)


@pytest.mark.parametrize("name", [LITE, INCEPTION])
def test_an_image_is_timed_without_weights_at_hand(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(features, "CPU_BATCH", 2)
    assert 0 < FeatureStep(name).seconds(MACHINE) < 10


# The kind


def stored(cell: Path, images: Tensor) -> None:
    """A finished synthesis cell with these pixels, in batches of ten."""
    folder = cell / "images"
    folder.mkdir(parents=True)
    zeros, ones = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    shape = (3, images.shape[-2], images.shape[-1])
    count = len(images) // 10
    write_meta(folder, Meta("made", "up", 10, shape, zeros, ones, 0, 10, count))
    for index, batch in enumerate(torch.split(images, 10)):
        write_shard(folder, index, batch.float() / 255, torch.zeros(10, dtype=torch.int64))


def recipe(**changes: Any) -> fidelity.Recipe:
    values: dict[str, Any] = {
        "dataset": "digits",
        "image_size": 8,
        "extractor": "tiny",
        "pixels": "denormalize",
        "images": 0,
        "batches": [],
        "seed": 0,
    }
    return fidelity.Recipe(**(values | changes))


def work(runs: Path, **inputs: Path) -> Work:
    folder = runs / "fidelity" / "cell"
    log = logging.getLogger("test")
    return Work(folder, inputs, MACHINE, DataSource(runs), "fidelity of a toy", log)


def test_the_kind_tells_real_from_noise(
    tiny: Extractor, tmp_path: Path, counted: list[int]
) -> None:
    floor = fidelity.run(work(tmp_path), recipe(images=300))
    assert (floor["evaluated"], floor["reference_images"]) == (300, 1297)
    assert (floor["extractor"], floor["pixels"]) == (tiny.display, "denormalize")
    assert "images" not in floor, "none were made"
    assert float(str(floor["precision"])) > 0.7
    assert float(str(floor["recall"])) > 0.7
    assert float(str(floor["f8"])) > 0.9
    assert counted == [1297, 300]
    drawn_again = fidelity.run(work(tmp_path), recipe(images=300, seed=1))
    assert drawn_again["fid"] != floor["fid"]
    assert drawn_again["fid"] == pytest.approx(floor["fid"], rel=0.5)
    stored(tmp_path / "a", noise(200, 8, 0))
    stored(tmp_path / "b", noise(100, 8, 1))
    inputs = work(tmp_path, images0=tmp_path / "a", images1=tmp_path / "b")
    bad = fidelity.run(inputs, recipe(batches=[20, 5], images=240))
    assert bad["evaluated"] == 240
    assert float(str(bad["fid"])) > 20 * float(str(floor["fid"]))
    assert max(float(str(bad["precision"])), float(str(bad["recall"]))) < 0.05
    assert counted == [1297, 300, 300, 240], "the real ones are kept"
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 1
    again = fidelity.run(inputs, recipe(batches=[20, 5], images=240))
    assert again == bad
    stretched = fidelity.run(inputs, recipe(batches=[20, 5], images=240, pixels="minmax"))
    assert stretched["fid"] != bad["fid"]


def test_numpy_takes_no_more_cores_than_the_machine_gives(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(*arguments: Any) -> dict[str, float]:
        seen.extend(library["num_threads"] for library in threadpool_info())
        return {}

    monkeypatch.setattr("benchmarks.fidelity.metrics.measure", look)
    with threadpool_limits(2):
        fidelity.run(work(tmp_path), recipe(images=50))
    assert set(seen) == {MACHINE.threads}


def test_the_kind_refuses_what_can_not_be_compared(tiny: Extractor, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="501 test images are asked for, there are 500"):
        fidelity.run(work(tmp_path), recipe(images=501))
    with pytest.raises(BenchmarkError, match=r"^PRD needs 20 images, there are 19"):
        fidelity.run(work(tmp_path), recipe(images=19))
    stored(tmp_path / "a", noise(30, 16, 0))
    inputs = work(tmp_path, images0=tmp_path / "a")
    with pytest.raises(BenchmarkError, match="have 16x16 pixels, the real ones 8x8"):
        fidelity.run(inputs, recipe(batches=[3]))


def test_a_cell_leaves_a_record_and_missing_weights_end_the_run(
    monkeypatch: pytest.MonkeyPatch, tiny: Extractor, tmp_path: Path
) -> None:
    monkeypatch.setitem(kinds.KINDS, "fidelity", "benchmarks.kinds.fidelity")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("benchmarks.runner._prepare_torch", lambda machine: None)
    values = {"dataset": "digits", "image_size": 8, "pixels": "minmax", "images": 50, "seed": 1}
    cell = Cell("fidelity", "floor", values | {"extractor": "tiny", "batches": []})
    assert run_cell(cell, tmp_path / "runs", MACHINE, DataSource(tmp_path)) == "made"
    assert (cell.folder(tmp_path / "runs") / "record.json").is_file()
    assert len(list((tmp_path / "runs" / "cache").glob("tiny@*.safetensors"))) == 1
    cell = Cell("fidelity", "floor", values | {"extractor": INCEPTION, "batches": []})
    with pytest.raises(MissingError, match="--inception-weights") as caught:
        run_cell(cell, tmp_path / "runs", MACHINE, DataSource(tmp_path))
    assert caught.value.exit_code == 3


def test_the_plan_counts_the_images_judged_and_the_real_ones(tiny: Extractor) -> None:
    images = Cell("synthesis", "made", {"batch_size": 64})
    values = {"dataset": "digits", "image_size": 8, "extractor": "tiny", "pixels": "minmax"}
    for batches, limit, expected in (([3], 0, 192), ([3], 100, 100), ([], 0, 500), ([], 300, 300)):
        own = {"images": limit, "batches": batches, "seed": 0}
        inputs = {f"images{index}": images for index in range(len(batches))}
        cell = Cell("fidelity", "judged", values | own, inputs)
        judged, real = fidelity.workload(cell, 10, 1297, 500).items()
        assert [count for _, count in (judged, real)] == [expected, 1297]
        assert [step.shared for step, _ in (judged, real)] == [False, True]
        assert all(0 < step.seconds(MACHINE) < 1 for step, _ in (judged, real))
