"""NaturalInversion: the options of Tables 3 and 4, the shared generator, and refused settings."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from naturalinversion import SyntheticDataset, Teacher, Training, synthesize
from naturalinversion.classifiers import build
from naturalinversion.errors import SettingError
from naturalinversion.image_store.shards import shard_path
from naturalinversion.natural_inversion import NaturalInversion
from naturalinversion.synthesis import iterations_of

MakeTeacher = Callable[..., Teacher]
LABELS = torch.arange(8) % 4
ITERATIONS, BATCHES, SIZE = 2, 3, 8


def method(**settings: Any) -> NaturalInversion:
    small = {"iterations": ITERATIONS, "latent": 8, "generator_width": 0.1}
    return NaturalInversion(**(small | settings))


def images_of(teacher: Teacher, **settings: Any) -> Tensor:
    synthesizer = method(**settings)
    synthesizer.prepare(teacher, None, 0, Training())
    return synthesizer.batch(LABELS, 0, lambda steps: None).images


def fill(teacher: Teacher, folder: Path, synthesizer: Any, **more: Any) -> SyntheticDataset:
    return synthesize(synthesizer, teacher, folder, batches=BATCHES, batch_size=SIZE, **more)


class Steps:
    """A progress callback that counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, steps: int) -> None:
        self.count += steps


@pytest.mark.parametrize(("one_to_one", "trained"), [(True, BATCHES), (False, 1)])
def test_one_generator_for_each_batch_or_one_for_all(
    one_to_one: bool, trained: int, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """The steps made are those of so many trainings, and the bar was promised as many."""
    steps = Steps()
    synthesizer = method(one_to_one=one_to_one, shared_batch=SIZE)
    fill(make_teacher(), tmp_path, synthesizer, training=Training(steps))
    assert steps.count == trained * ITERATIONS
    assert iterations_of(synthesizer, BATCHES) == steps.count


def test_batches_of_the_shared_generator_differ_by_their_latents(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    synthesizer = method(one_to_one=False, shared_batch=SIZE)
    dataset = fill(make_teacher(), tmp_path, synthesizer)
    parts = dataset.tensors()[0].split(SIZE)
    assert not torch.equal(parts[0], parts[1])
    again = method(one_to_one=False, shared_batch=SIZE, iterations=1)
    again.prepare(make_teacher(), None, 99, Training())
    labels = dataset.tensors()[1][:SIZE]
    own = again.batch(labels, 7, lambda steps: None).images
    again.load_state_dict(synthesizer.state_dict())
    theirs = again.batch(labels, 7, lambda steps: None).images
    assert not torch.equal(own, theirs)
    assert torch.equal(theirs, synthesizer.batch(labels, 7, lambda steps: None).images)


def test_the_shared_generator_resumes(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    teacher = make_teacher()

    def bytes_of(folder: str) -> list[bytes]:
        return [shard_path(tmp_path / folder, k).read_bytes() for k in range(BATCHES)]

    def run(folder: str, training: Training | None = None) -> None:
        shared = method(one_to_one=False, shared_batch=SIZE)
        fill(teacher, tmp_path / folder, shared, training=training)

    saved: list[dict[str, Any]] = []
    run("whole", Training(save=saved.append))
    run("cut")
    shard_path(tmp_path / "cut", 1).unlink()
    run("cut")
    assert bytes_of("cut") == bytes_of("whole")
    reported: list[int] = []
    run("restored", Training(reported.append, restore=lambda: saved[-1]))
    assert reported == [ITERATIONS], "all at once: the generator is not trained a second time"
    assert bytes_of("restored") == bytes_of("whole")


def test_the_course_of_the_shared_training_comes_with_its_batches_and_its_saved_state(
    make_teacher: MakeTeacher,
) -> None:
    teacher = make_teacher()
    shared, restored = (method(one_to_one=False, shared_batch=SIZE) for _ in range(2))
    saved: list[dict[str, Any]] = []
    shared.prepare(teacher, None, 0, Training(save=saved.append))
    losses = shared.batch(LABELS, 3, lambda steps: None).losses
    assert {"cross_entropy", "bn_statistics", "total"} < set(losses)
    assert all(history.shape == (ITERATIONS,) for history in losses.values())
    restored.prepare(teacher, None, 0, Training(restore=lambda: saved[-1]))
    again = restored.batch(LABELS, 4, lambda steps: None).losses
    assert set(again) == set(losses)
    assert all(torch.equal(history, losses[name]) for name, history in again.items())
    assert not any("cross_entropy" in name for name in shared.state_dict())
    restored.load_state_dict(shared.state_dict())
    assert not restored.batch(LABELS, 4, lambda steps: None).losses, "whose they were is unknown"


def test_the_shared_generator_scales_as_many_images_as_it_was_trained_with(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    with pytest.raises(SettingError, match="set shared_batch to the batch size"):
        fill(teacher, tmp_path / "a", method(one_to_one=False, shared_batch=SIZE - 1))
    assert not (tmp_path / "a").exists(), "refused before the shared generator is trained"
    unscaled = method(one_to_one=False, shared_batch=SIZE - 1, channel_scaling=False)
    assert len(fill(teacher, tmp_path / "b", unscaled)) == BATCHES * SIZE


def test_every_switch_makes_other_images(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    switches: list[dict[str, Any]] = [
        {},
        {"pyramid": False},
        {"channel_scaling": False},
        {"pyramid": False, "channel_scaling": False},
        {"feature_gradient": True},
        {"pyramid_head": "tanh"},
        {"pyramid_head": "none"},
    ]
    made = [images_of(teacher, **switch) for switch in switches]
    assert all(images.isfinite().all() for images in made)
    for index, images in enumerate(made):
        assert not any(torch.equal(images, other) for other in made[:index]), switches[index]


def test_the_choice_of_pyramid_stages_changes_the_images(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    choices: Sequence[tuple[int, ...]] = ((4,), (3, 4), (2, 3, 4), (1, 2, 3, 4), ())
    made = [images_of(teacher, pyramid_stages=choice) for choice in choices]
    for index, images in enumerate(made):
        assert not any(torch.equal(images, other) for other in made[:index]), choices[index]
    assert torch.equal(made[3], images_of(teacher)), "all stages are the default"


@pytest.mark.parametrize("stages", [(5,), (0,), (1, 2, 9), (-1,)])
def test_stages_that_the_classifier_has_not_are_refused(
    stages: tuple[int, ...], make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="the classifier has 1 to 4") as caught:
        fill(make_teacher(), tmp_path, method(pyramid_stages=stages))
    assert "\n" not in str(caught.value)


def large_stem() -> nn.Module:
    """As a ResNet for 224 pixels: its first maps have a quarter of the images' sides."""
    first, second = nn.Conv2d(3, 4, 7, 4, 3), nn.Conv2d(4, 4, 3, 2, 1)
    norms, last = (nn.BatchNorm2d(4), nn.BatchNorm2d(4)), nn.Conv2d(4, 4, 3, 2, 1)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    return nn.Sequential(first, norms[0], nn.ReLU(), second, norms[1], nn.ReLU(), last, *pooled)


def warned(teacher: Teacher, **settings: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        method(**settings).prepare(teacher, None, 0, Training())
    return [str(each.message) for each in caught]


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.TeacherWarning")
def test_coarse_maps_that_a_large_stem_leaves_out_are_a_warning(make_teacher: MakeTeacher) -> None:
    model, of_images = large_stem(), {"num_classes": 4, "image_shape": (3, 32, 32)}
    teacher = Teacher(model, **of_images)  # type: ignore[arg-type]
    assert [stage.size for stage in teacher.stages] == [(8, 8), (4, 4)]
    assert warned(teacher) == [
        "the pyramid reads 2 resolutions of the classifier, none of 2x2 pixels, which "
        "smallest_stage of Teacher leaves out: 2 takes them in"
    ]
    whole = Teacher(model, smallest_stage=2, **of_images)  # type: ignore[arg-type]
    assert [stage.size for stage in whole.stages] == [(8, 8), (4, 4), (2, 2)]
    for silent in (warned(whole), warned(make_teacher()), warned(teacher, pyramid=False)):
        assert silent == []


@pytest.mark.parametrize("size", [18, 4])
def test_an_image_size_the_generator_cannot_make(size: int, tmp_path: Path) -> None:
    model = build("resnet18", 4, 0.0625)
    teacher = Teacher(model, num_classes=4, image_shape=(3, size, size), smallest_stage=1)
    with pytest.raises(SettingError, match=f"multiples of 4, 8 or more: not {size}") as caught:
        fill(teacher, tmp_path, method())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_iterations_are_one_or_more() -> None:
    with pytest.raises(SettingError, match="iterations is 0"):
        method(iterations=0)


@pytest.mark.parametrize(
    ("head", "scaled", "within_one"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("tanh", False, True),
        ("conv_tanh", False, True),
        ("none", True, False),
    ],
)
def test_what_stands_in_for_the_pyramid_can_be_chosen(
    head: str, scaled: bool, within_one: bool, make_teacher: MakeTeacher
) -> None:
    teacher = make_teacher()
    synthesizer = method(pyramid=False, bare_head=head, channel_scaling=scaled)
    synthesizer.prepare(teacher, None, 0, Training())
    made = synthesizer.source(LABELS, 0)
    with torch.no_grad():
        made.generator.load_state_dict(
            {name: value * 9 for name, value in made.generator.state_dict().items()}
        )
        images = made.render(None) / (made.scale if scaled else 1.0)
    assert (float(images.abs().amax()) <= 1 + 1e-6) == within_one
    mixes = sum(name.startswith("output_head") for name, _ in made.named_parameters())
    assert mixes == (2 if head == "conv_tanh" else 0)


def test_the_fixed_scale_multiplies_the_image(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    once, thrice = (
        images_of(teacher, iterations=1, channel_scaling=False, jitter=0, flip=False, fixed_scale=f)
        for f in (1.0, 3.0)
    )
    assert once.abs().amax() <= 1
    assert 1 < thrice.abs().amax() <= 3


def test_the_scale_starts_around_five_for_every_image_and_channel(
    make_teacher: MakeTeacher,
) -> None:
    """alpha ~ N(5, 1), of 1,536 values."""
    synthesizer = method()
    synthesizer.prepare(make_teacher(), None, 0, Training())
    scale = synthesizer.source(torch.arange(512) % 4, 0).scale
    assert isinstance(scale, Tensor)
    assert scale.shape == (512, 3, 1, 1)
    assert scale.mean().item() == pytest.approx(5, abs=0.2)
    assert scale.std().item() == pytest.approx(1, abs=0.1)


def test_generator_pyramid_and_scale_have_rates_of_their_own(make_teacher: MakeTeacher) -> None:
    """The first step of Adam changes no value by more than its rate, and some by just that."""
    rates = {"generator": 1e-3, "pyramid": 3e-3, "scale": 2e-2}
    synthesizer = method(
        rate_generator=rates["generator"],
        rate_pyramid=rates["pyramid"],
        rate_scaling=rates["scale"],
    )
    synthesizer.prepare(make_teacher(), None, 0, Training())
    source = synthesizer.source(LABELS, 0)
    before = {name: value.detach().clone() for name, value in source.named_parameters()}
    optimizer = source.optimizer()
    source.render(None).square().sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    changes = dict.fromkeys(rates, 0.0)
    for name, value in source.named_parameters():
        part = name.partition(".")[0]
        change = float((value.detach() - before[name]).abs().max())
        changes[part] = max(changes[part], change)
    assert changes == pytest.approx(rates, rel=1e-3)


def test_shared_latents_can_be_drawn_once(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    kwargs = {"one_to_one": False, "shared_batch": SIZE}
    every, once = (
        images_of(teacher, shared_latents=how, **kwargs) for how in ("every step", "once")
    )
    assert not torch.equal(every, once)


def test_a_carried_generator_goes_on_from_batch_to_batch(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """The first batch is that of a generator of its own; the second one starts where it ended."""
    teacher = make_teacher()
    carried, own = method(carried=True), method()
    for each in (carried, own):
        each.prepare(teacher, None, 0, Training())
    assert carried.state_dict() == {}
    first = [each.batch(LABELS, 3, lambda steps: None).images for each in (carried, own)]
    assert torch.equal(*first)
    ended = {name: tensor.clone() for name, tensor in carried.state_dict().items()}
    assert {name.partition(".")[0] for name in ended} == {"generator", "pyramid"}
    second = [each.batch(LABELS, 4, lambda steps: None).images for each in (carried, own)]
    assert not torch.equal(*second)
    again = method(carried=True)
    again.prepare(teacher, None, 0, Training())
    again.load_state_dict(ended)
    assert torch.equal(again.batch(LABELS, 4, lambda steps: None).images, second[0])
    assert (carried.sequential, own.sequential) == (True, False)
    with pytest.raises(SettingError, match="a shared generator is not trained on"):
        method(carried=True, one_to_one=False)
