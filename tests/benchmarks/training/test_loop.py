"""The training loop: what it learns, what it leaves alone, what an interruption costs: nothing."""

import itertools
import logging
import math
from pathlib import Path

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.engine.context import DataSource, Machine, Work
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training import classifier
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import ImageSource
from benchmarks.training.history import History
from benchmarks.training.learning_rate import images_per_epoch, learning_rate, updates_per_epoch
from benchmarks.training.loop import train
from benchmarks.training.losses import Loss, cross_entropy_loss, distillation_loss
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.precision import effective_precision, numerics
from naturalinversion.seeds import seeded

MEAN, STD = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.25, 0.25, 0.25])
RECIPE = TrainingRecipe(epochs=4, batch_size=16, lr=0.05, crop=1, evaluate_every=1)


def make_model(dropout: float = 0.3) -> nn.Sequential:
    with seeded(1):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(32, 3),
        )


def make_source(count: int = 50, dtype: torch.dtype = torch.uint8) -> ImageSource:
    """Class k is brighter in channel k."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 128, (count, 3, 8, 8), generator=rng)
    images[torch.arange(count), labels] += 100
    if dtype == torch.uint8:
        return ImageSource(images.to(dtype), labels, MEAN, STD)
    space = (images / 255 - MEAN[0]) / STD[0]
    return ImageSource(space.to(dtype), labels, MEAN, STD)


def run(
    model: nn.Module,
    recipe: TrainingRecipe = RECIPE,
    source: ImageSource | None = None,
    loss: Loss | None = None,
    **options: object,
) -> History:
    return train(
        model,
        source or make_source(),
        recipe,
        loss=loss or cross_entropy_loss(),
        seed=5,
        device="cpu",
        **options,  # type: ignore[arg-type]
    )


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16])
def test_it_learns_from_pixels_and_from_teacher_space(dtype: torch.dtype) -> None:
    model, source = make_model(dropout=0.0), make_source(96, dtype)
    recipe = msgspec.structs.replace(RECIPE, epochs=8)
    history = run(model, recipe, source, evaluate=lambda network: accuracy(network, source))
    assert history.last_accuracy == 1.0
    assert history.losses[-1] < 0.3 * history.losses[0]
    assert [epoch for epoch, _ in history.accuracies] == list(range(1, 9))
    assert history.images == 8 * 96
    assert not model.training


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    first, second, other = make_model(), make_model(), make_model()
    run(first)
    run(second)
    train(other, make_source(), RECIPE, loss=cross_entropy_loss(), seed=6, device="cpu")
    assert same(first, second)
    assert not same(first, other)


@pytest.mark.parametrize("stop_after", [1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(stop_after: int, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    alone, stopped, resumed = make_model(), make_model(), make_model()
    expected = run(alone, evaluate=lambda network: 0.5)
    calls = itertools.count(1)

    def interrupt(network: nn.Module) -> float:
        if next(calls) > stop_after:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        run(stopped, evaluate=interrupt, checkpoint=path, checkpoint_seconds=0)
    seen: list[int] = []

    def count(network: nn.Module) -> float:
        seen.append(1)
        return 0.5

    history = run(resumed, evaluate=count, checkpoint=path, checkpoint_seconds=0)
    assert len(seen) == RECIPE.epochs - stop_after  # what was done is not done twice
    assert same(alone, resumed)
    assert history == expected
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    first, second = make_model(), make_model()
    expected = run(first, checkpoint=path)

    def refuse(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        raise AssertionError("a step was made")

    assert run(second, loss=refuse, checkpoint=path) == expected
    assert same(first, second)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign", "other run"])
def test_a_checkpoint_that_cannot_be_used_is_reported_and_ignored(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.pt"
    other = msgspec.structs.replace(RECIPE, lr=0.01) if damage == "other run" else RECIPE
    run(make_model(), other, checkpoint=path)
    content = bytearray(path.read_bytes())
    flipped = content.copy()
    flipped[len(content) // 2] ^= 4
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "flipped": flipped,
            "empty": bytearray(),
            "foreign": bytearray(b"something else altogether, long enough for a checksum"),
            "other run": content,
        }[damage]
    )
    model, alone = make_model(), make_model()
    with caplog.at_level(logging.WARNING):
        run(model, checkpoint=path)
    run(alone)
    assert same(model, alone)
    assert "state.pt" in caplog.text
    assert "starts again" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_an_epoch_does_not_depend_on_the_global_state_nor_change_it() -> None:
    first, second = make_model(), make_model()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    run(first)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    run(second)
    assert same(first, second)


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_names_epoch_and_update(value: float, shown: str) -> None:
    updates = itertools.count(1)

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        factor = value if next(updates) == 7 else 1.0  # four updates an epoch
        return F.cross_entropy(model(images), labels) * factor

    with pytest.raises(BenchmarkError, match=rf"loss is {shown} in epoch 2, update 3") as caught:
        run(make_model(), loss=loss)
    assert "\n" not in str(caught.value)


def test_weights_spoilt_by_the_last_update_are_noticed(tmp_path: Path) -> None:
    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        value = F.cross_entropy(model(images), labels)
        value.register_hook(lambda gradient: gradient * math.inf)  # type: ignore[no-untyped-call]
        return value

    recipe = msgspec.structs.replace(RECIPE, epochs=1, updates_per_epoch=1)
    path = tmp_path / "state.pt"
    with pytest.raises(BenchmarkError, match="not finite after the last update"):
        run(make_model(), recipe, loss=loss, checkpoint=path)
    assert not path.exists()


def test_every_image_once_an_epoch_and_no_batch_of_one() -> None:
    sizes: list[int] = []
    seen: list[int] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        sizes.append(len(images))
        seen.extend(labels.tolist())
        return F.cross_entropy(model(images), labels % 3)

    base = make_source(50)
    recipe = msgspec.structs.replace(RECIPE, epochs=1)
    for count, expected in ((50, [16, 16, 16, 2]), (49, [16, 16, 16]), (9, [9])):
        sizes.clear()
        seen.clear()
        labels = torch.arange(count)
        run(make_model(), recipe, ImageSource(base.images[:count], labels, MEAN, STD), loss)
        assert sizes == expected
        assert len(set(seen)) == len(seen) == images_per_epoch(recipe, count)
        assert len(sizes) == updates_per_epoch(recipe, count)


def test_every_epoch_has_an_order_and_crops_of_its_own() -> None:
    orders: list[list[int]] = []
    sums: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        orders.append(labels.tolist())
        sums.append(float(images.double().sum()))
        return F.cross_entropy(model(images), labels % 3)

    source = ImageSource(make_source(16).images, torch.arange(16), MEAN, STD)
    run(make_model(), source=source, loss=loss)
    assert len({tuple(order) for order in orders}) == RECIPE.epochs
    assert len(set(sums)) == RECIPE.epochs  # the crops: sums do not depend on the order


def test_updates_per_epoch_go_round_the_images() -> None:
    seen: list[int] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        seen.extend(labels.tolist())
        return F.cross_entropy(model(images), labels % 3)

    source = ImageSource(make_source(20).images, torch.arange(20), MEAN, STD)
    recipe = msgspec.structs.replace(RECIPE, epochs=1, updates_per_epoch=5)
    history = run(make_model(), recipe, source, loss)
    assert history.images == len(seen) == 80
    assert torch.bincount(torch.tensor(seen)).tolist() == [4] * 20


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crops_are_padded_with_black(dtype: torch.dtype) -> None:
    lowest: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        lowest.append(float(images.min()))
        return F.cross_entropy(model(images), labels)

    white = torch.full((32, 3, 8, 8), 255, dtype=torch.uint8)
    images = white if dtype == torch.uint8 else ((white / 255 - 0.5) / 0.25).to(dtype)
    source = ImageSource(images, torch.zeros(32, dtype=torch.int64), MEAN, STD)
    run(make_model(), source=source, loss=loss)
    assert lowest == pytest.approx([-2.0] * len(lowest))
    lowest.clear()
    run(make_model(), msgspec.structs.replace(RECIPE, padding="reflect"), source, loss)
    assert lowest == pytest.approx([2.0] * len(lowest))


def test_best_accuracy_is_kept_apart_from_the_last() -> None:
    values = iter([0.2, 0.9, 0.4, 0.6])
    history = run(make_model(), evaluate=lambda network: next(values))
    assert (history.last_accuracy, history.best_accuracy) == (0.6, 0.9)
    only_last = run(
        make_model(), msgspec.structs.replace(RECIPE, evaluate_every=0), evaluate=lambda _: 0.3
    )
    assert only_last.accuracies == ((4, 0.3),)


def test_accuracy_restores_every_modules_mode() -> None:
    model = make_model().train()
    model[1].eval()  # a frozen batch norm in a network in training
    state = {name: value.clone() for name, value in model.state_dict().items()}
    source = make_source(31)
    value = accuracy(model, source, batch_size=7)
    model.eval()
    expected = (model(source.batch(slice(None))).argmax(1) == source.labels).double().mean()
    assert value == pytest.approx(float(expected))
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    model.train()
    model[1].eval()
    accuracy(model, source)
    assert [module.training for module in model] == [True, False, True, True, True, True, True]


STEP = TrainingRecipe(epochs=1, lr=1.0, milestones=(0.4, 0.8))
COSINE = TrainingRecipe(epochs=1, lr=1.0, schedule="cosine", warmup=0.2)


@pytest.mark.parametrize(
    ("recipe", "done", "expected"),
    [
        (STEP, 0.0, 1.0),
        (STEP, 0.39, 1.0),
        (STEP, 0.4, 0.1),
        (STEP, 0.8, 0.01),
        (COSINE, 0.1, 0.5),
        (COSINE, 0.2, 1.0),
        (COSINE, 0.6, 0.5),
        (COSINE, 1.0, 0.0),
        (TrainingRecipe(epochs=1, lr=0.3, schedule="constant"), 0.9, 0.3),
    ],
)
def test_learning_rate(recipe: TrainingRecipe, done: float, expected: float) -> None:
    assert learning_rate(recipe, done) == pytest.approx(expected)


@pytest.mark.parametrize(
    "setting",
    [
        "lr = 0",
        "lr = inf",
        "epochs = 0",
        "batch_size = 1",
        "milestones = [0.5, 2.0]",
        "crop = -1",
        "nesterov = true\nmomentum = 0",
        "epoch = 3",
        'schedule = "stepwise"',
        "warmup = 1.0",
    ],
)
def test_settings_out_of_range_are_refused(setting: str) -> None:
    text = setting if setting.startswith("epochs") else f"epochs = 2\n{setting}"
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(text, type=TrainingRecipe)


def test_images_that_do_not_suit_the_recipe() -> None:
    with pytest.raises(UsageError, match="two images"):
        run(make_model(), source=make_source(1))
    with pytest.raises(UsageError, match="crop 8"):
        run(make_model(), msgspec.structs.replace(RECIPE, crop=8, padding="reflect"))


def test_distillation_follows_the_teacher_and_leaves_it_alone() -> None:
    teacher = make_model(dropout=0.0)
    run(teacher)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with seeded(2):
        student = make_model(dropout=0.0)
        nn.init.normal_(list(student.parameters())[-2])
    wrong = ImageSource(
        make_source(96).images, torch.zeros(96, dtype=torch.int64), MEAN, STD
    )  # the labels are not used
    recipe = msgspec.structs.replace(RECIPE, epochs=20)
    history = run(student, recipe, wrong, distillation_loss(teacher))
    assert history.losses[-1] < 0.2 * history.losses[0]
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_distillation_objective_value() -> None:
    rng = torch.Generator().manual_seed(0)
    target, answer = torch.randn(2, 6, 5, generator=rng, dtype=torch.float64) * 4
    p, q = (target / 3).softmax(1), (answer / 3).softmax(1)
    expected = float((p * (p / q).log()).sum(1).mean())

    class Fixed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = answer
            return logits

    images, labels = torch.zeros(6, 3, 1, 1), torch.zeros(6, dtype=torch.int64)
    plain = distillation_loss(lambda _: target)
    scaled = distillation_loss(lambda _: target, scale_by_temperature_squared=True)
    assert float(plain(Fixed(), images, labels)) == pytest.approx(expected, rel=1e-5)
    assert float(scaled(Fixed(), images, labels)) == pytest.approx(9 * expected, rel=1e-5)


def test_distillation_refuses_a_teacher_in_training_mode() -> None:
    with pytest.raises(ValueError, match="eval"):
        distillation_loss(make_model().train())


def test_precision_is_put_back_and_tf32_on_a_cpu_is_fp32() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with numerics(torch.device("cpu"), "tf32"):
        assert not torch.backends.cudnn.allow_tf32
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert (matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
    assert effective_precision("cpu", "tf32") == "fp32"
    assert effective_precision("cuda:1", "tf32") == "tf32"
    assert effective_precision("cpu", "bf16") == "bf16"
    full, asked = make_model(), make_model()
    run(full)
    run(asked, precision="tf32")
    assert same(full, asked)


def test_in_bf16_products_round_and_weights_and_losses_do_not() -> None:
    full, half = make_model(), make_model()
    losses = [run(full).losses, run(half, precision="bf16").losses]
    assert not same(full, half)
    assert all(value.dtype != torch.bfloat16 for value in half.state_dict().values())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_the_usual_memory_layout_is_left_behind() -> None:
    model = make_model()
    run(model)
    assert all(value.is_contiguous() for value in model.state_dict().values())


def test_a_teacher_below_the_floor_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command fails at once with the same words; a lower floor takes what is there."""
    work = Work(tmp_path, {}, Machine(), DataSource(tmp_path), "teacher", logging.getLogger("test"))
    short = TrainingRecipe(epochs=1, updates_per_epoch=2, batch_size=16)
    recipe = classifier.Recipe("resnet18", "digits", 0.0625, 8, 0, short, floor=0.99)
    with pytest.raises(BenchmarkError, match="below the recipe's floor 99") as first:
        classifier.run(work, recipe)
    monkeypatch.setattr("benchmarks.training.loop._Run.epoch", lambda *given: pytest.fail("again"))
    with pytest.raises(BenchmarkError) as second:
        classifier.run(work, recipe)
    assert str(first.value) == str(second.value)
    metrics = classifier.run(work, msgspec.structs.replace(recipe, floor=0.0))
    assert metrics["train_images"] == 1297
    assert not (tmp_path / "training.pt").exists()
