"""Wide ResNets: published sizes and names, what the pyramid reads, and their recipes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.recipes.resolve import Recipes
from naturalinversion import Teacher, synthesize
from naturalinversion.classifiers import build
from naturalinversion.classifiers.weights import load_state, read_weights
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.natural_inversion import NaturalInversion
from naturalinversion.seeds import seeded

NAMES = ("wrn40_2", "wrn40_1", "wrn16_2", "wrn16_1")


@pytest.mark.parametrize(
    ("arch", "of_ten", "of_hundred", "norms", "channels"),
    [
        ("wrn40_2", 2_243_546, 2_255_156, 37, 2704),
        ("wrn40_1", 563_930, 569_780, 37, 1360),
        ("wrn16_2", 691_674, 703_284, 13, 912),
        ("wrn16_1", 175_066, 180_916, 13, 464),
    ],
)
def test_the_networks_have_the_published_size(
    arch: str, of_ten: int, of_hundred: int, norms: int, channels: int
) -> None:
    for classes, count in ((10, of_ten), (100, of_hundred)):
        assert sum(p.numel() for p in build(arch, classes).parameters()) == count
    found = [m for m in build(arch, 10).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(found) == norms
    assert sum(norm.num_features for norm in found) == channels


def test_a_group_has_a_projection_only_where_channels_change() -> None:
    """WRN-16-1's first group takes the raw stem on; WRN-16-2's projects it."""
    for arch, expected in (("wrn16_1", [False, True, True]), ("wrn16_2", [True, True, True])):
        network = build(arch, 10)
        groups = [network.get_submodule(f"block{index}.layer") for index in (1, 2, 3)]
        assert [group[0].shortcut is not None for group in groups] == expected  # type: ignore[index]
        assert all(
            block.shortcut is None for group in groups for block in list(group.children())[1:]
        )


def test_a_block_adds_the_raw_input_or_a_projection_of_the_normalised_one() -> None:
    with seeded(0):
        network = build("wrn16_2", 10).eval()
        images = torch.randn(2, 16, 8, 8)
    first, second = network.get_submodule("block1.layer.0"), network.get_submodule("block1.layer.1")
    with torch.no_grad():
        for block in (first, second):
            block.conv2.weight.zero_()  # type: ignore[operator, union-attr]
        out = first(images)
        normalised = torch.relu(images / (1 + 1e-5) ** 0.5)
        torch.testing.assert_close(out, first.shortcut(normalised))  # type: ignore[operator]
        assert torch.equal(second(out), out)


def test_convolutions_start_from_the_fan_out() -> None:
    with seeded(0):
        network = build("wrn40_2", 10)
    convolution = network.get_submodule("block3.layer.3.conv1")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)
    assert not network.get_submodule("fc").bias.any()  # type: ignore[operator, union-attr]


@pytest.mark.parametrize("arch", NAMES)
def test_published_state_dicts_load(arch: str, tmp_path: Path) -> None:
    """Their checkpoints lie under ``state_dict`` and call the shortcut ``convShortcut``."""
    with seeded(1):
        theirs = build(arch, 10).state_dict()
    published = {name.replace(".shortcut.", ".convShortcut."): t for name, t in theirs.items()}
    torch.save({"state_dict": published, "epoch": 200}, tmp_path / "x.pth")
    model = build(arch, 10)
    load_state(model, read_weights(tmp_path / "x.pth"), tmp_path / "x.pth")
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("size", "width"), [(32, 1.0), (16, 0.5)])
def test_the_pyramid_reads_three_stages(size: int, width: float) -> None:
    """The raw sums of the first two groups, and the last activation: from 8 pixels to 32."""
    model = build("wrn40_2", 10, width)
    teacher = Teacher(model, num_classes=10, image_shape=(3, size, size))
    found = [(stage.module, stage.channels, stage.size) for stage in teacher.stages]
    assert [(channels, side) for _, channels, side in found] == [
        (round(32 * width), (size, size)),
        (round(64 * width), (size // 2, size // 2)),
        (round(128 * width), (size // 4, size // 4)),
    ]
    assert found[2][0] == "relu"
    pyramid = FeatureTransferPyramid(teacher.stages, size)
    seen = teacher.observe(torch.randn(2, 3, size, size), statistics=True, maps=True)
    assert pyramid(torch.randn(2, 3, size, size), seen.maps).shape == (2, 3, size, size)
    assert len(seen.statistics) == 37


def test_the_accelerated_pass_is_the_networks_own(make_teacher: Callable[..., Teacher]) -> None:
    teacher = make_teacher("wrn40_2", width=0.5)
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(teacher(images), teacher.model(images), rtol=1e-4, atol=1e-4)


def test_natural_inversion_runs_on_one(
    make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    method = NaturalInversion(iterations=2, latent=8, generator_width=0.1)
    made = synthesize(method, make_teacher("wrn16_1", width=0.5), tmp_path, batches=1, batch_size=4)
    assert made.tensors()[0].isfinite().all()


def test_recipes_train_them_with_a_cosine_and_wide_enough() -> None:
    for arch in NAMES:
        paper = Recipes("paper", "cifar10").resolve(arch).protocol
        found = paper.classifier
        assert (found.schedule, found.epochs, found.lr, found.weight_decay, found.batch_size) == (
            *("cosine", 200, 0.1, 5e-4),
            128,
        )
        assert paper.network.width == 1.0
        assert Recipes("demo", "digits").resolve(arch).protocol.network.width == 0.5
    assert Recipes("paper", "cifar10").resolve("wrn40_2").protocol.classifier_floor == 0.943
    assert Recipes("paper", "cifar100").resolve("wrn40_2").protocol.classifier_floor == 0.745
    assert Recipes("paper", "cifar10").resolve("resnet34").protocol.classifier.schedule == "step"
