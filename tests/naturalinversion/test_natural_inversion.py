"""NaturalInversion: the switches of Tables 3 and 4, where gradients go, and how it fails."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from contract_methods import FromOutside
from torch import Tensor, nn

from baselines.deep_inversion import Pixels
from naturalinversion import Batch, SyntheticDataset, Teacher, Training, priors, synthesize
from naturalinversion.classifiers import build
from naturalinversion.errors import DivergedError, SettingError, StoreError
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.generated_images import GeneratedImages
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.images import read_shard, retried, shard_path
from naturalinversion.inversion.invert import Keep, invert
from naturalinversion.inversion.jitter import Jitter, Shift
from naturalinversion.inversion.objective import Objective, Weights
from naturalinversion.natural_inversion import NaturalInversion
from naturalinversion.progress import Progress
from naturalinversion.seeds import generator, seeded
from naturalinversion.synthesis import iterations_of

MakeTeacher = Callable[..., Teacher]
LABELS = torch.arange(8) % 4
ITERATIONS, BATCHES, SIZE = 4, 3, 8


def method(**settings: Any) -> NaturalInversion:
    small = {"iterations": ITERATIONS, "latent": 8, "generator_width": 0.1}
    return NaturalInversion(**(small | settings))


def images_of(teacher: Teacher, **settings: Any) -> Tensor:
    synthesizer = method(**settings)
    synthesizer.prepare(teacher, None, 0, Training())
    return synthesizer.batch(LABELS, 0, lambda steps: None).images


def fill(teacher: Teacher, folder: Path, synthesizer: Any, **more: Any) -> SyntheticDataset:
    return synthesize(synthesizer, teacher, folder, batches=BATCHES, batch_size=SIZE, **more)


def source(
    teacher: Teacher, *, pyramid: bool = True, scale: bool = True, **more: Any
) -> GeneratedImages:
    with seeded(5):
        size = teacher.image_shape[-1]
        return GeneratedImages(
            teacher,
            ConditionalGenerator(4, latent=8, image_size=size, width=0.1),
            FeatureTransferPyramid(teacher.stages, size) if pyramid else None,
            torch.randn(8, 3, 1, 1) + 5 if scale else 1.0,
            latent=torch.randn(8, 8),
            labels=LABELS,
            rates=(1e-3, 5e-4, 0.05),
            output_head=None if pyramid or not scale else nn.Tanh(),
            **more,
        )


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
    steps = Steps()
    run("restored", Training(steps, restore=lambda: saved[-1]))
    assert steps.count == 0, "the generator was trained a second time"
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
    assert all(course.shape == (ITERATIONS,) for course in losses.values())
    restored.prepare(teacher, None, 0, Training(restore=lambda: saved[-1]))
    again = restored.batch(LABELS, 4, lambda steps: None).losses
    assert set(again) == set(losses)
    assert all(torch.equal(course, losses[name]) for name, course in again.items())
    assert not any("cross_entropy" in name for name in shared.state_dict())
    restored.load_state_dict(shared.state_dict())
    assert not restored.batch(LABELS, 4, lambda steps: None).losses, "whose they were is unknown"


def test_the_shared_generator_scales_as_many_images_as_it_was_trained_with(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    with pytest.raises(SettingError, match="set shared_batch to the batch size"):
        fill(teacher, tmp_path / "a", method(one_to_one=False, shared_batch=SIZE - 1))
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


@pytest.mark.parametrize("pyramid", [True, False])
def test_no_pixel_is_larger_than_its_channels_scale(
    pyramid: bool, make_teacher: MakeTeacher
) -> None:
    images = source(make_teacher(), pyramid=pyramid)
    assert images.scale is not None
    with torch.no_grad():
        images.generator.body[-1].weight.mul_(50)  # far into the tanh
        pixels = images.render(None)
        assert (pixels.abs() <= images.scale.abs()).all()
        assert pixels.abs().amax() > 1, "the scale stretches beyond the tanh"


def test_without_scale_pixels_stay_within_one_and_without_both_they_are_the_generators(
    make_teacher: MakeTeacher,
) -> None:
    teacher = make_teacher()
    with torch.no_grad():
        assert source(teacher, scale=False).render(None).abs().amax() <= 1
        bare = source(teacher, pyramid=False, scale=False)
        assert torch.equal(bare.render(None), bare.generator(bare.latent, bare.one_hot))
    assert not any("scale" in name for name, _ in bare.named_parameters())


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


@pytest.mark.parametrize("size", [18, 4])
def test_an_image_size_the_generator_cannot_make(size: int, tmp_path: Path) -> None:
    model = build("resnet18", 4, 0.0625)
    teacher = Teacher(model, num_classes=4, image_shape=(3, size, size), smallest_stage=1)
    with pytest.raises(SettingError, match=f"multiple of 4, 8 or more: not {size}") as caught:
        fill(teacher, tmp_path, method())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_iterations_are_one_or_more() -> None:
    with pytest.raises(SettingError, match="iterations is 0"):
        method(iterations=0)


class Spy(nn.Module):
    """A pyramid that remembers what it was given."""

    def __init__(self, inner: FeatureTransferPyramid) -> None:
        super().__init__()
        self.inner = inner
        self.maps: Sequence[Tensor] = ()
        self.image: Tensor | None = None

    def forward(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        self.image, self.maps = images, maps
        enhanced: Tensor = self.inner(images, maps)
        return enhanced


@pytest.mark.parametrize("feature_gradient", [False, True])
def test_features_are_constants_unless_asked_for(
    feature_gradient: bool, make_teacher: MakeTeacher
) -> None:
    images = source(make_teacher(), feature_gradient=feature_gradient)
    assert images.pyramid is not None
    spy = Spy(images.pyramid)
    images.pyramid = spy  # type: ignore[assignment]
    images.render(Shift(1, -1, True))
    assert spy.image is not None
    assert spy.image.requires_grad
    assert len(spy.maps) == 4
    assert {m.requires_grad for m in spy.maps} == {feature_gradient}


def test_generator_pyramid_and_scale_all_learn(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    images = source(teacher)
    assert images.pyramid is not None
    assert images.scale is not None
    F.cross_entropy(teacher(images.render(Shift(1, -1))), LABELS).backward()

    def slope(parameter: Tensor) -> float:
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        return parameter.grad.abs().sum().item()

    for name, parameter in images.pyramid.named_parameters():
        assert slope(parameter) > 0, name
    for name, parameter in images.generator.named_parameters():
        if name.endswith("weight"):
            assert slope(parameter) > 0, name
    assert (images.scale.grad != 0).all(), "every image and channel has a scale of its own"
    optimised = {id(p) for group in images.optimizer().param_groups for p in group["params"]}
    assert optimised == {id(p) for p in images.leaves()}
    assert all(p.grad is None for p in teacher.model.parameters())


def test_the_image_shift_before_the_pyramid_moves_the_generators_image(
    make_teacher: MakeTeacher,
) -> None:
    bare = source(make_teacher(), pyramid=False, scale=False)
    with torch.no_grad():
        still, moved = bare.render(None), bare.render(Shift(1, 2))
        mirrored = bare.render(Shift(0, 0, True))
    assert torch.equal(moved, still.roll((1, 2), (2, 3)))
    assert torch.equal(mirrored, still.flip(3))


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_iterate_kept_is_the_one_asked_for(keep: Keep, make_teacher: MakeTeacher) -> None:
    """Steps of 1 on a norm go down, overshoot, and come back up."""
    start = torch.randn(8, 3, 16, 16, generator=generator(0))
    weights = Weights(cross_entropy=0.0, bn_statistics=0.0, l2=1.0)
    draws = Jitter(0).draw(4, generator(0))
    made = invert(Pixels(start, 1.0), Objective(make_teacher(), LABELS, weights), draws, keep=keep)
    course = made.losses["total"]
    assert 0 < course.argmin() < 3
    shown = priors.l2(made.images)
    if keep == "best":
        assert shown == course.min()
    else:
        assert shown > course.min()


def test_nan_in_the_teacher_names_term_iteration_and_batch(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    with torch.no_grad():
        list(teacher.model.parameters())[-1].fill_(float("nan"))
    pattern = "^batch 0: cross_entropy became nan at iteration 0, with every of 3 seeds$"
    with pytest.raises(DivergedError, match=pattern) as caught:
        fill(teacher, tmp_path, method())
    assert caught.value.exit_code == 1
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_rate_that_explodes_names_the_iteration_after_its_step(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match=r"^batch 0: \w+ became (nan|inf) at iteration 1, "):
        fill(make_teacher(), tmp_path, method(rate_scaling=1e38))


class SecondIsNaN(FromOutside):
    """Its second batch is NaN, and so are as many in a row as ``failures`` says."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures, self.calls = failures, 0

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        self.calls += 1
        made = super().batch(labels, seed, progress)
        bad = 2 <= self.calls < 2 + self.failures
        return Batch(made.images * (float("nan") if bad else 1), made.labels)


def test_a_batch_that_fails_leaves_those_before_it(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    pattern = "^batch 1: the images hold NaN or infinity, with every of 3 seeds$"
    with pytest.raises(DivergedError, match=pattern):
        fill(make_teacher(), tmp_path, SecondIsNaN(failures=3))
    assert [p.name for p in tmp_path.glob("*.safetensors")] == [shard_path(tmp_path, 0).name]


def test_a_batch_that_diverges_is_made_with_its_next_seed(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    fill(make_teacher(), whole, SecondIsNaN(failures=0))
    fill(make_teacher(), again, SecondIsNaN(failures=2))
    indices = range(len(list(whole.glob("*.safetensors"))))
    assert retried(whole, indices) == []
    assert retried(again, indices) == [1]
    same = [
        torch.equal(read_shard(whole, index)[0], read_shard(again, index)[0]) for index in indices
    ]
    assert same == [index != 1 for index in indices]
    (again / shard_path(again, 0).name).write_bytes(b"")
    with pytest.raises(StoreError, match="can't be read"):
        retried(again, indices)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"settings": {"noise": 2}}, {"method": "another"}], ids=str
)
def test_a_folder_of_another_run_is_refused(
    other: dict[str, Any], make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    fill(teacher, tmp_path, FromOutside())
    with pytest.raises(StoreError, match="holds images of another run"):
        fill(teacher, tmp_path, FromOutside(), **other)


def test_the_same_call_again_goes_on_whatever_the_settings_hold(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """JSON knows no tuples: a folder written a moment ago is still this run's."""
    settings = {"milestones": (0.4, 0.8), "stages": None}
    for _ in range(2):
        dataset = fill(make_teacher(), tmp_path, FromOutside(), settings=settings)
    assert len(dataset) == BATCHES * SIZE


def test_labels_reach_the_generator(make_teacher: MakeTeacher) -> None:
    images = source(make_teacher(), pyramid=False, scale=False)
    with torch.no_grad():
        before = images.render(None)
        images.one_hot = images.one_hot.roll(1, 0)
        assert not torch.equal(images.render(None), before)


def test_the_latent_is_drawn_anew_only_in_training_of_a_shared_generator(
    make_teacher: MakeTeacher,
) -> None:
    shared = source(make_teacher(), pyramid=False, scale=False, resample=generator(1))
    with torch.no_grad():
        assert torch.equal(shared.render(None), shared.render(None))
        first = shared.render(Shift(0, 0))
        assert not torch.equal(first, shared.render(Shift(0, 0)))


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


def test_shared_latents_can_be_drawn_once(make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    kwargs = {"one_to_one": False, "shared_batch": SIZE}
    every, once = (
        images_of(teacher, shared_latents=how, **kwargs) for how in ("every step", "once")
    )
    assert not torch.equal(every, once)
