"""Other people's classifiers through the library: refused in one line, or right."""

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import METHODS
from baselines.deep_inversion import DeepInversion
from naturalinversion import NaturalInversion, Synthesizer, SyntheticDataset, Teacher, synthesize
from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator
from tests.naturalinversion.teacher.emulated_kernels import emulated
from tests.naturalinversion.teacher.zoo import (
    CLASSES,
    ZOO,
    ByName,
    InPlace,
    Small,
    ZooModel,
    trained,
)

pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")


def noise(shape: tuple[int, int, int], count: int = 6) -> Tensor:
    return torch.randn(count, *shape, generator=generator(0))


def method(name: str) -> Synthesizer:
    if name == "di":
        return DeepInversion(iterations=2)
    return NaturalInversion(iterations=2, latent=4, generator_width=0.1, pyramid=name == "ni")


def invert(animal: ZooModel, name: str, folder: Path) -> SyntheticDataset:
    teacher = Teacher(animal.make(), **animal.arguments())
    return synthesize(method(name), teacher, folder, batches=1, batch_size=4)


def state_of(model: nn.Module) -> tuple[object, ...]:
    """All that a `Teacher` could have changed."""
    tensors = [*model.parameters(), *model.buffers()]
    return (
        [module.training for module in model.modules()],
        [tensor.requires_grad for tensor in tensors],
        [(tensor.data_ptr(), tensor.stride(), tensor.dtype) for tensor in tensors],
        [sorted(vars(module)) for module in model.modules()],
        [len(module._forward_hooks) for module in model.modules()],
    )


@pytest.mark.parametrize("name", ZOO)
def test_a_teacher_is_the_network_in_eval_mode_and_leaves_it_as_it_was(name: str) -> None:
    animal = ZOO[name]
    model = animal.make()
    before = state_of(model)
    values = [tensor.detach().clone() for tensor in (*model.parameters(), *model.buffers())]
    teacher = Teacher(model, **animal.arguments())
    images = noise(animal.shape)
    observed = teacher.observe(images.to(teacher.dtype), statistics=True, maps=animal.maps)
    assert state_of(model) == before
    now = (*model.parameters(), *model.buffers())
    assert all(torch.equal(old, new) for old, new in zip(values, now, strict=True))
    first = next(iter(now))
    given = images.to(torch.float32 if name == "converts to half" else first.dtype)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        expected = animal.make().eval()(given).float()
    wide = first.dtype.itemsize > 2
    torch.testing.assert_close(
        observed.logits.float(), expected, rtol=1e-4 if wide else 0.1, atol=1e-5 if wide else 0.1
    )
    assert len(observed.statistics) == animal.norms
    shapes = [(each.shape[1], *each.shape[2:]) for each in observed.maps]
    assert shapes == [(stage.channels, *stage.size) for stage in teacher.stages]
    assert bool(shapes) == animal.maps


@pytest.mark.parametrize(
    ("name", "way"), [*((name, "ni") for name in ZOO), ("plain", "di"), ("double", "di")]
)
def test_it_is_inverted_and_exported(name: str, way: str, tmp_path: Path) -> None:
    animal = ZOO[name]
    if way == "ni" and not animal.maps:
        way = "ni without a pyramid"
    dataset = invert(animal, way, tmp_path / "images")
    images, labels = dataset.tensors()
    assert images.shape == (4, *animal.shape)
    assert images.isfinite().all()
    assert sorted(labels.tolist()) == list(range(CLASSES))
    dataset.export(tmp_path / "png", "denormalize")
    assert len(list((tmp_path / "png").glob("*/*.png"))) == 4


@pytest.mark.parametrize("name", ["grey", "oblong", "oblong grey", "with opacity"])
@pytest.mark.parametrize("way", ["adi", "ni_adi", "dafl", "dfad"])
def test_methods_with_a_student_make_such_images_too(way: str, name: str, tmp_path: Path) -> None:
    animal = ZOO[name]
    small = {"generator_width": 0.1, "latent": 4}
    joint = {"epochs": 1, "steps": 1, "batch_size": 4}
    inversion = {"iterations": 2} | (small if way == "ni_adi" else {})
    made = METHODS[way](**(small | joint if way in ("dafl", "dfad") else inversion))
    student = trained(lambda: Small(animal.shape[0]), animal.shape)
    teacher = Teacher(animal.make(), **animal.arguments())
    before = state_of(student)
    dataset = synthesize(made, teacher, tmp_path, batches=1, batch_size=4, student=student)
    assert dataset.tensors()[0].shape == (4, *animal.shape)
    assert made.student_use == "joint" or state_of(student) == before


@pytest.mark.parametrize("way", ["adi", "dafl"])
def test_a_student_that_fails_in_channels_last_takes_part(way: str, tmp_path: Path) -> None:
    teacher = Teacher(ZOO["plain"].make(), **ZOO["plain"].arguments())
    small = {"epochs": 1, "steps": 1, "batch_size": 4, "latent": 4, "generator_width": 0.1}
    method = METHODS[way](**({"iterations": 2} if way == "adi" else small))
    student = ZOO["view"].make()
    dataset = synthesize(method, teacher, tmp_path, batches=1, batch_size=4, student=student)
    assert len(dataset) == 4


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    channels=st.integers(1, 6),
    height=st.integers(2, 7).map(lambda quarter: 4 * quarter),
    width=st.integers(2, 7).map(lambda quarter: 4 * quarter),
    way=st.sampled_from(["di", "ni", "ni without a pyramid"]),
)
@example(channels=1, height=8, width=28, way="ni")
@example(channels=5, height=28, width=8, way="ni without a pyramid")
def test_images_of_any_channels_and_sides_of_fours(
    channels: int, height: int, width: int, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = (channels, height, width)
    animal = ZooModel(lambda: trained(lambda: Small(channels), shape), shape)
    dataset = invert(animal, way, tmp_path_factory.mktemp("images"))
    assert dataset.tensors()[0].shape == (4, *shape)


def test_maps_and_images_are_the_same_with_activations_in_place(tmp_path: Path) -> None:
    teachers = [Teacher(trained(make), **ZOO["plain"].arguments()) for make in (Small, InPlace)]
    images = noise((3, 16, 16))
    maps = [teacher.observe(images, maps=True).maps for teacher in teachers]
    assert teachers[1].stages[0].overwritten
    assert not any(stage.overwritten for stage in teachers[0].stages)
    for one, other in zip(*maps, strict=True):
        assert torch.equal(one, other)
    made = [
        synthesize(method("ni"), teacher, tmp_path / str(i), batches=1, batch_size=4).tensors()[0]
        for i, teacher in enumerate(teachers)
    ]
    assert torch.equal(*made)


@pytest.mark.parametrize("name", ZOO)
def test_a_gpus_pass_observes_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where norms are unusual, its fused kernels are off."""
    animal = ZOO[name]
    teacher = Teacher(animal.make(), **animal.arguments())

    def look() -> tuple[Tensor, ...]:
        images = noise(animal.shape).to(teacher.dtype).requires_grad_()
        observed = teacher.observe(images, statistics=True)
        (observed.logits.sum() + observed.bn_statistics()).backward()
        assert images.grad is not None
        return observed.logits.detach(), observed.bn_statistics().detach(), images.grad

    expected = look()
    with emulated(monkeypatch):
        found = look()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_both_calls_of_a_shared_norm_count() -> None:
    teacher = Teacher(ZOO["shared norm"].make(), **ZOO["shared norm"].arguments())
    images = noise((3, 16, 16))
    model = teacher.model
    assert isinstance(model, Small)
    first = model.conv1(images)
    second = model.conv2(model.pool(model.norm1(first).relu()))
    seen = teacher.observe(images, statistics=True).statistics
    for layer, maps in zip(seen, (first, second), strict=True):
        torch.testing.assert_close(layer.mean, maps.mean(dim=(0, 2, 3)))
        torch.testing.assert_close(layer.variance, maps.var(dim=(0, 2, 3), correction=0))
        assert layer.running_mean is model.norm1.running_mean


def test_layers_called_by_name_are_observed_as_others() -> None:
    images = noise((3, 16, 16))
    plain, by_name = (
        Teacher(trained(make), **ZOO["plain"].arguments()).observe(
            images, statistics=True, maps=True, embedding=True
        )
        for make in (Small, ByName)
    )
    assert plain.embedding is not None
    assert by_name.embedding is not None
    assert torch.equal(by_name.embedding, plain.embedding)
    assert torch.equal(by_name.bn_statistics(), plain.bn_statistics())


def test_stages_are_feature_maps_not_whatever_has_four_dimensions() -> None:
    """No attention, no windows, and no map whose channels come last."""
    stages = Teacher(ZOO["attention"].make(), **ZOO["attention"].arguments()).stages
    assert [(s.module, s.channels, s.size) for s in stages] == [
        ("norm1", 4, (16, 16)),
        ("norm2", 4, (8, 8)),
        ("pool", 4, (4, 4)),
    ]


def test_a_linear_layer_inside_is_not_taken_for_the_last_one() -> None:
    animal = ZOO["squeeze and excitation"]
    teacher = Teacher(animal.make(), **animal.arguments())
    with pytest.raises(TeacherError, match=r"no linear layer that returns its logits: no emb"):
        teacher.observe(noise(animal.shape), embedding=True)


@pytest.mark.parametrize("name", ["compiled", "part compiled", "compiled in place"])
def test_a_compiled_network_is_the_same_teacher(name: str) -> None:
    plain, other = (Teacher(ZOO[each].make(), **ZOO[each].arguments()) for each in ("plain", name))
    assert other.fingerprint == plain.fingerprint


def test_the_owners_training_goes_on() -> None:
    model = trained(Small)
    Teacher(model, **ZOO["plain"].arguments())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.state_dict()["norm1.running_mean"].clone()
    model(noise((3, 16, 16))).sum().backward()
    optimizer.step()
    assert not torch.equal(model.state_dict()["norm1.running_mean"], before)


def test_16_bit_weights_are_inverted_as_the_float32_ones_that_they_are(tmp_path: Path) -> None:
    model = trained(Small).half()
    made = []
    for index, each in enumerate((model, copy.deepcopy(model).float())):
        teacher = Teacher(each, **ZOO["plain"].arguments())
        done = synthesize(method("di"), teacher, tmp_path / str(index), batches=1, batch_size=4)
        made.append(done.tensors()[0])
    assert torch.equal(*made)


@pytest.mark.parametrize(
    ("change", "same"),
    [({}, True), ({"version": 4}, False), ({"scale": torch.zeros(2)}, False)],
)
def test_extra_state_is_part_of_the_fingerprint(change: dict[str, object], same: bool) -> None:
    one, other = ZOO["extra state"].make(), ZOO["extra state"].make()
    state = other.get_extra_state() | change
    other.get_extra_state = lambda: state  # type: ignore[method-assign]
    prints = {Teacher(each, **ZOO["plain"].arguments()).fingerprint for each in (one, other)}
    assert len(prints) == (1 if same else 2)
