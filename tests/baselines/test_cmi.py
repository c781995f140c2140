"""CMI: the contrastive term, its memory, and what starts anew with each batch."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from baselines import cmi as module
from baselines.feature_memory import FeatureMemory
from baselines.teacher_features import FeatureTaps
from naturalinversion import Teacher, priors, synthesize
from naturalinversion.augmentation import ResizedCrops, sample_resized_crops
from naturalinversion.classifiers import build
from naturalinversion.errors import MemoryShortError, SettingError
from tests.baselines.bank_methods import cmi, copied, equal, make, small_teacher, start, student
from tests.naturalinversion.teacher.zoo import ZOO


def test_contrast_is_chance_for_equal_rows_and_nothing_for_a_single_one() -> None:
    row = F.normalize(torch.randn(1, 5), dim=1)
    assert priors.contrast(row, row, 1, 0.1) == 0
    same = row.expand(6, 5)
    torch.testing.assert_close(priors.contrast(same, same, 6, 0.1), torch.tensor(math.log(6)))
    both = priors.contrast(same, same, 2, 0.1)  # a mean for the batch, one for the memory
    torch.testing.assert_close(both, torch.tensor(2 * math.log(6)))
    rows = torch.eye(4)
    floor = math.log(1 + 3 * math.exp(-1 / 0.5))
    torch.testing.assert_close(priors.contrast(rows, rows, 4, 0.5), torch.tensor(floor))


def test_the_adversarial_term_counts_images_whose_class_both_name() -> None:
    student = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0], [4.0, 1.0]])
    assert priors.agreeing_divergence(teacher, teacher) == 0
    assert priors.agreeing_divergence(student, -student) == 0, "no class in common"
    p, q = teacher.softmax(1), student.softmax(1)
    each = (p * (p / q).log()).sum(dim=1)
    torch.testing.assert_close(
        priors.agreeing_divergence(student, teacher), (each[0] + each[2]) / 3
    )


@pytest.mark.parametrize(("added", "kept"), [(0, 0), (3, 3), (5, 5), (6, 5), (12, 5)])
def test_a_memory_that_is_exactly_full_is_full(added: int, kept: int) -> None:
    memory = FeatureMemory(5, 2, torch.device("cpu"), batches=4)
    rows = torch.arange(added).view(-1, 1, 1).expand(-1, 2, 2).float()
    for start_ in range(0, added, 3):
        memory.add(rows[start_ : start_ + 3])
    found = sorted(memory.rows[:, 0, 0].tolist())
    assert found == list(range(max(0, added - 5), added))
    draws = torch.Generator().manual_seed(0)
    assert memory.sample(4, draws).shape == (min(4, kept), 2, 2)
    drawn = memory.sample(9, draws)[:, 0, 0].tolist()
    assert sorted(drawn) == found, "each row once"
    again = FeatureMemory(5, 2, torch.device("cpu"), batches=4)
    again.load_state_dict(memory.state_dict())
    more = torch.full((2, 2, 2), 99.0)
    again.add(more)
    memory.add(more)
    assert torch.equal(again.rows, memory.rows)


@pytest.mark.parametrize(("capacity", "room"), [(5, 5), (100, 12)])
def test_a_memory_takes_its_room_once(capacity: int, room: int) -> None:
    memory = FeatureMemory(capacity, 2, torch.device("cpu"), batches=4)
    places = set()
    for _ in range(4):
        memory.add(torch.ones(3, 2, 2))
        places.add((memory.rows.data_ptr(), memory.rows.untyped_storage().nbytes()))
    assert [size for _, size in places] == [room * 2 * 2 * 2]
    assert len(memory.rows) == min(capacity, 12)


@pytest.mark.parametrize(
    ("arch", "features"),
    [
        ("wrn40_2", {"batch norms": 2704}),
        ("wrn16_1", {"batch norms": 464}),
        ("vgg11", {"batch norms": 2752}),
        ("resnet34", {"stages": 512, "batch norms": 8512}),
    ],
)
def test_features_have_the_published_width(arch: str, features: dict[module.Taps, int]) -> None:
    teacher = Teacher(build(arch, 10), num_classes=10, image_shape=(3, 16, 16))
    assert {taps: FeatureTaps(teacher, taps).features for taps in features} == features


def test_features_are_the_means_of_each_image() -> None:
    """Averaged over images they are the batch statistics' means; no hook stays."""
    teacher = small_teacher()
    taps = FeatureTaps(teacher, "batch norms")
    images = torch.randn(6, 3, 16, 16)
    seen = taps.observe(images)
    means = torch.cat([layer.mean for layer in seen.statistics])
    torch.testing.assert_close(taps.last.mean(dim=0), means, rtol=1e-4, atol=1e-5)
    assert taps.last.shape == (6, taps.features)
    assert not any(m._forward_pre_hooks for m in teacher.model.modules())
    with pytest.raises(SettingError, match="the teacher has no layer1; take its batch norms"):
        FeatureTaps(small_teacher(), "stages")


@pytest.mark.parametrize(
    "name", ["frozen norms", "synchronised norms", "norms over features", "shared norm"]
)
def test_features_are_those_of_whatever_norms_the_teacher_has(name: str, tmp_path: Path) -> None:
    teacher = Teacher(ZOO[name].make(), **ZOO[name].arguments())
    taps = FeatureTaps(teacher, "batch norms")
    seen = taps.observe(torch.randn(6, 3, 16, 16))
    means = torch.cat([layer.mean for layer in seen.statistics])
    torch.testing.assert_close(taps.last.mean(dim=0), means, rtol=1e-4, atol=1e-5)
    dataset = synthesize(cmi(), teacher, tmp_path, batches=2, batch_size=8, student=student())
    assert len(dataset) == 16


def test_images_learn_from_their_crop_alone_and_the_head_from_the_memory_too() -> None:
    method = start(cmi(), small_teacher())
    make(method, 1)
    made = method.images(1, torch.randn(8, 8), seed=5)
    draws = torch.Generator().manual_seed(0)
    pixels = torch.rand(8, 3, 16, 16, requires_grad=True)
    whole = torch.rand(8, 3, 16, 16, requires_grad=True)
    method.observe(whole)
    made.more_terms(pixels, draws)["contrast"].backward()  # type: ignore[no-untyped-call]
    assert whole.grad is None
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.any() for p in method._head[2].parameters())  # type: ignore[index]
    assert method._memory.rows.grad is None


def test_without_contrast_there_is_no_second_pass() -> None:
    method = start(cmi(contrast=0.0), small_teacher())
    (batch,) = make(method, 1)
    assert set(batch.losses) == {"cross_entropy", "bn_statistics", "adversarial", "total"}


def test_without_contrast_there_is_neither_head_nor_memory() -> None:
    teacher = small_teacher()
    method = start(cmi(contrast=0.0), teacher)
    make(method, 1)
    state = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    assert {name.partition(".")[0] for name in state} == {"student", "student_optimizer"}
    assert method.more_bytes(teacher, 10**6) == 0
    again = start(cmi(contrast=0.0), teacher)
    again.load_state_dict(state)
    assert equal(state, again.state_dict())


def test_a_generator_is_new_with_each_batch_and_head_and_memory_go_on() -> None:
    teacher = small_teacher()
    method, other = start(cmi(), teacher), start(cmi(), teacher)
    head = copied(method._head)
    make(method, 1)
    assert not equal(head, method._head.state_dict())
    assert len(method._memory.rows) == 8
    fresh = [m.images(1, torch.randn(8, 8), seed=9).network for m in (method, other)]
    assert equal(copied(fresh[0]), fresh[1].state_dict())
    weights = fresh[0].get_submodule("body.2").weight
    assert isinstance(weights, torch.Tensor)
    assert weights.std().item() == pytest.approx(0.02, rel=0.2)


def test_what_it_keeps_is_counted_before_it_starts() -> None:
    method, teacher = cmi(epochs=10**7), small_teacher()
    with pytest.raises(MemoryShortError) as caught:
        method.begin(teacher, batches=10**7, batch_size=10**5)
    said = str(caught.value)
    assert said.startswith("the bank of 1,000,000,000,000 images that CMI keeps would take 768,0")
    assert "GB are free on cpu: fewer or smaller batches" in said
    method.begin(teacher, batches=4, batch_size=8)  # no room is kept for what isn't asked for
    assert method.room == 4
    taps, head = FeatureTaps(teacher, "batch norms"), start(cmi(), teacher)._head
    weights = sum(weight.numel() for weight in head.parameters())
    for images, kept in ((8, 8), (10**6, 20)):  # two views of each in float16
        expected = 4 * taps.features * kept + 16 * weights  # weight, gradient, Adam's two moments
        assert cmi().more_bytes(teacher, images) == expected
    with pytest.raises(SettingError, match="5 batches: the schedule ends with epoch 4"):
        cmi().begin(teacher, batches=5, batch_size=8)


def test_contrast_is_told_from_so_many_remembered_images_as_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight of the batch and three of the sixteen remembered, in each of two steps."""
    teacher, contrast = small_teacher(), priors.contrast
    asked: list[tuple[int, int, float]] = []
    terms: list[torch.Tensor] = []

    def watched(
        anchors: torch.Tensor, others: torch.Tensor, current: int, temperature: float
    ) -> torch.Tensor:
        asked.append((len(anchors), current, temperature))
        terms.append(contrast(anchors, others, current, temperature))
        return terms[-1]

    method = start(
        cmi(inner_steps=2, negatives=3, contrast=0.25, contrast_temperature=0.7), teacher
    )
    make(method, 2)
    monkeypatch.setattr(priors, "contrast", watched)
    (batch,) = make(method, 1)
    assert asked == [(8 + 3, 8, 0.7)] * 2
    torch.testing.assert_close(batch.losses["contrast"], torch.stack(terms).detach())


def test_contrast_has_a_mean_for_the_batch_and_one_for_the_memory_whatever_their_sizes() -> None:
    """One row of the batch and three of the memory, told apart unlike well."""
    anchors = F.normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    others = F.normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    scores = (anchors @ others.T / 0.1).log_softmax(dim=1)
    each = -scores.diagonal()
    expected = each[0] + each[1:].mean()
    torch.testing.assert_close(priors.contrast(anchors, others, 1, 0.1), expected)
    assert abs(each[0] - each.mean()) > 0.1


def test_remembered_crops_are_told_from_remembered_wholes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the batch's own rows: those of the memory, each crop beside its own whole."""
    method, contrast = start(cmi(inner_steps=1, negatives=20), small_teacher()), priors.contrast
    make(method, 1)
    checked: list[int] = []

    def watched(
        anchors: torch.Tensor, others: torch.Tensor, current: int, temperature: float
    ) -> torch.Tensor:
        for rows, view in ((anchors[current:], 0), (others[current:], 1)):
            known = method._memory.state_dict()["rows"][:, view].float()
            wanted = F.normalize(method._head(known), dim=1)
            by_first = (found[found[:, 0].argsort()] for found in (rows, wanted))
            torch.testing.assert_close(*by_first, rtol=1e-4, atol=1e-5)
            checked.append(len(rows))
        return contrast(anchors, others, current, temperature)

    monkeypatch.setattr(priors, "contrast", watched)
    make(method, 1)
    assert checked == [8, 8]
    rows = method._memory.state_dict()["rows"]
    assert not torch.equal(rows[:, 0], rows[:, 1])


def test_a_local_view_is_a_quarter_or_more_of_the_image_and_nearly_as_wide_as_high(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of torchvision's RandomResizedCrop, with the scale of the official code."""
    asked: list[tuple[object, ...]] = []

    def watched(count: int, size: tuple[int, int], **more: Any) -> ResizedCrops:
        asked.append((count, size, more["area"], more["aspect"], more["flip"]))
        return sample_resized_crops(count, size, **more)

    monkeypatch.setattr(module, "sample_resized_crops", watched)
    for flip in (True, False):
        make(start(cmi(inner_steps=1, student_steps=0, flip=flip), small_teacher()), 1)
    assert asked == [(8, (16, 16), (0.25, 1.0), (3 / 4, 4 / 3), flip) for flip in (True, False)]
