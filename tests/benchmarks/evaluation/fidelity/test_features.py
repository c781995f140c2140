"""What is kept of real images: by content, in pieces, mended where damaged."""

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.evaluation.fidelity import features
from benchmarks.evaluation.fidelity.extractors import Extractor, find_extractor
from benchmarks.evaluation.fidelity.features import (
    FeatureExtractor,
    Features,
    cached_real_features,
    extract,
)
from naturalinversion.progress import Progress, silent
from tests.benchmarks.evaluation.fidelity.tiny import CPU, noise


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
    first = cached_real_features(images, tiny, CPU, tmp_path / "cache")
    copy = images.clone()  # another data set with the same pixels
    again = cached_real_features(copy, tiny, CPU, tmp_path / "cache", advance.append)
    assert {name: first[name].dtype for name in first} == dict.fromkeys(first, torch.float32)
    assert same(first, again)
    assert (counted, sum(advance)) == ([20], 20)
    copy[7, 1, 2, 3] ^= 1
    cached_real_features(copy, tiny, CPU, tmp_path / "cache")
    assert len(counted) == 2, "one pixel differs"
    cached_real_features(images.reshape(20, 3, 4, 16), tiny, CPU, tmp_path / "cache")
    assert len(counted) == 3, "the same bytes in another shape"
    torch.save({"projection": torch.ones(48, 16)}, weights)
    other = find_extractor("tiny")
    assert other.display != tiny.display
    cached_real_features(images, other, CPU, tmp_path / "cache")
    assert len(counted) == 4, "other weights"
    monkeypatch.setattr(features, "SCHEMA", features.SCHEMA + 1)
    cached_real_features(images, other, CPU, tmp_path / "cache")
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
    first = cached_real_features(images, tiny, CPU, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    path.write_bytes(
        {"cut": whole[:-9], "flipped": bytes(flipped), "empty": b"", "foreign": b"x" * 99}[damage]
    )
    mended = cached_real_features(images, tiny, CPU, tmp_path)
    assert same(first, mended)
    assert path.read_bytes() == whole
    cached_real_features(images, tiny, CPU, tmp_path)
    assert len(counted) == 2


def test_what_was_finished_before_a_stop_is_not_computed_again(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD_IMAGES", 8)
    images, sizes = noise(20, 8, 0), []

    look = FeatureExtractor.__call__

    def stopped(looks: FeatureExtractor, images: Tensor, progress: Progress) -> Features:
        sizes.append(len(images))
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return look(looks, images, progress)

    monkeypatch.setattr(FeatureExtractor, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        cached_real_features(images, tiny, CPU, tmp_path)
    found = cached_real_features(images, tiny, CPU, tmp_path)
    assert sizes == [8, 8, 4, 4], "only the last piece again"
    assert same(found, extract(images, tiny, CPU))


def test_all_pieces_are_looked_at_by_one_network(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD_IMAGES", 8)
    built: list[Extractor] = []
    build = Extractor.build

    def counting(extractor: Extractor, device: torch.device) -> nn.Module:
        built.append(extractor)
        return build(extractor, device)

    monkeypatch.setattr(Extractor, "build", counting)
    for _ in range(2):
        cached_real_features(noise(20, 8, 0), tiny, CPU, tmp_path)
    assert built == [tiny], "and the second time by none"


def test_two_that_want_the_same_share_the_work(
    tiny: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other begins while the first is at its first piece, and takes those after it."""
    monkeypatch.setattr(features, "SHARD_IMAGES", 8)
    images, order = noise(20, 8, 0), []
    other: list[threading.Thread] = []
    answers: list[Features] = []

    def ask() -> None:
        answers.append(cached_real_features(images, tiny, CPU, tmp_path))

    look = FeatureExtractor.__call__

    def shared(looks: FeatureExtractor, piece: Tensor, progress: Progress = silent) -> Features:
        order.append((threading.current_thread() is threading.main_thread(), len(piece)))
        if len(order) == 1:
            other.append(threading.Thread(target=ask))
            other[0].start()
            while len(order) < 3:
                other[0].join(0.01)
        return look(looks, piece, progress)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtractor, "__call__", shared)
        ask()
        other[0].join()
    assert order == [(True, 8), (False, 8), (False, 4)]
    assert same(*answers)
    assert same(answers[0], extract(images, tiny, CPU))
