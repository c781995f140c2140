"""Which filters go, that they are really gone, and that a pruned network can be stored."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.evaluation.l1_pruning import (
    PrunedClassifier,
    example_of,
    keep_filters,
    load_pruned,
    prune,
    save_pruned,
)
from benchmarks.recipes.schema import PrunedLayers
from naturalinversion.classifiers import ARCHITECTURES, build
from naturalinversion.classifiers.resnet import BasicBlock
from naturalinversion.classifiers.weights import (
    WEIGHTS,
    Classifier,
    load_classifier,
    save_classifier,
)
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.seeds import seeded

EXAMPLE = torch.zeros(1, 3, 16, 16)
MEAN, STD = (0.3055, 0.3055, 0.3055), (0.3234, 0.3234, 0.3234)
DESCRIPTION = Classifier("resnet18", 10, 0.0625, 8, MEAN, STD)


def lived_in(arch: str = "resnet18", width: float = 0.125) -> nn.Module:
    """A random network whose batch norms all differ, in eval mode."""
    with seeded(3):
        model = build(arch, 10, width)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
        with torch.no_grad():
            model(torch.randn(32, 3, 16, 16))
    return model.eval()


def logits(model: nn.Module, size: int = 16) -> Tensor:
    images = torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found: Tensor = model(images)
    return found


def norms(convolution: nn.Conv2d) -> Tensor:
    return torch.stack([kernel.double().abs().sum() for kernel in convolution.weight.detach()])


# Networks whose batch norms each follow a convolution.
POST_ACTIVATION = [arch for arch in ARCHITECTURES if not arch.startswith("wrn")]


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}


def share(ratio: float, channels: int) -> int:
    """How many of so many channels stay, in whole numbers."""
    return max(1, channels * (100 - round(100 * ratio)) // 100)


@pytest.mark.parametrize("layers", ["block", "all"])
def test_ratio_zero_changes_no_bit(layers: PrunedLayers) -> None:
    model = lived_in()
    before, expected = copy.deepcopy(model.state_dict()), logits(model)
    report = prune(model, EXAMPLE, 0.0, layers)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(logits(model), expected)
    assert report.flops_after == report.flops_before
    assert report.parameters_after == report.parameters_before


def test_nine_tenths_of_a_full_resnet34_leave_6_12_25_and_51_filters() -> None:
    model = build("resnet34", 10)
    report = prune(model, torch.zeros(1, 3, 32, 32), 0.9)
    blocks = [m for m in model.modules() if isinstance(m, BasicBlock)]
    stages = [6] * 3 + [12] * 4 + [25] * 6 + [51] * 3
    assert [block.conv1.out_channels for block in blocks] == stages
    assert [block.conv2.in_channels for block in blocks] == stages
    assert [block.bn1.num_features for block in blocks] == stages
    assert [len(kept) for kept in report.kept.values()] == stages
    whole = [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3
    assert [block.conv2.out_channels for block in blocks] == whole
    assert report.filters["conv1"] == 64
    assert report.filters["layer2.0.downsample.0"] == 128
    assert report.filters["layer4.2.conv1"] == 51
    assert sum(p.numel() for p in model.parameters()) == report.parameters_after


@pytest.mark.parametrize("ratio", [0.5, 0.7, 0.9])
def test_the_filters_with_the_largest_norms_of_the_intact_network_stay(ratio: float) -> None:
    intact = lived_in("resnet34")
    report = prune(model := copy.deepcopy(intact), EXAMPLE, ratio)
    assert list(report.kept) == [n for n in convolutions(intact) if n.endswith(".conv1")]
    for name, kept in report.kept.items():
        before, after = convolutions(intact)[name], convolutions(model)[name]
        largest = norms(before).topk(share(ratio, before.out_channels)).indices
        assert kept == sorted(largest.tolist()), name
        assert torch.equal(after.weight, before.weight[kept]), name
        norm = model.get_submodule(name.replace("conv1", "bn1"))
        full = intact.get_submodule(name.replace("conv1", "bn1"))
        for key, value in norm.state_dict().items():
            expected = full.state_dict()[key]
            assert torch.equal(value, expected[kept] if expected.ndim else expected), (name, key)
        second = name.replace("conv1", "conv2")
        expected = convolutions(intact)[second].weight[:, kept]
        assert torch.equal(convolutions(model)[second].weight, expected)


def test_of_equal_filters_the_first_stay_and_a_count_is_not_lost_to_rounding() -> None:
    block = BasicBlock(8, 20, 1)
    nn.init.ones_(block.conv1.weight)
    model = nn.Sequential(nn.Conv2d(3, 8, 1), block)
    assert int(20 * (1 - 0.9)) == 1, "in floats"
    assert prune(model, EXAMPLE, 0.9).kept == {"1.conv1": [0, 1]}


def test_lius_preset_leaves_its_layers_alone() -> None:
    model = build("resnet34", 10, 0.125)
    report = prune(model, EXAMPLE, 0.5, "liu")
    # Of the 3x3 convolutions, the stem is the first: 2, 8, 14, 16, 26, 28, 30 and 32 stay whole.
    of_size_3 = [n for n, c in convolutions(model).items() if c.kernel_size == (3, 3)]
    assert len(of_size_3) == 33
    pruned = [number for number, name in enumerate(of_size_3, start=1) if name in report.kept]
    assert pruned == [4, 6, 10, 12, 18, 20, 22, 24]
    assert not any(name.startswith("layer4") for name in report.kept)
    assert report.filters["layer1.0.conv1"] == 8
    assert report.filters["layer1.1.conv1"] == 4


def masked(intact: nn.Module, pruned: nn.Module) -> nn.Module:
    """``intact`` with filters, batch norm weights and biases at zero where ``pruned`` has none."""
    model = copy.deepcopy(intact)
    found, left = (
        [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for network in (model, pruned)
    )
    pairs = zip(convolutions(model).values(), found, left, strict=True)
    with torch.no_grad():
        for convolution, norm, smaller in pairs:
            gone = ~torch.isin(norm.weight, smaller.weight)  # no two weights agree
            assert int(gone.sum()) == norm.num_features - smaller.num_features
            for tensor in (convolution.weight, convolution.bias, norm.weight, norm.bias):
                if tensor is not None:
                    tensor[gone] = 0
    return model


@pytest.mark.parametrize(
    ("arch", "layers"),
    [("resnet34", "block"), ("resnet34", "liu"), *((arch, "all") for arch in POST_ACTIVATION)],
)
def test_what_goes_takes_only_its_own_contribution_along(arch: str, layers: PrunedLayers) -> None:
    intact = lived_in(arch)
    prune(model := copy.deepcopy(intact), EXAMPLE, 0.5, layers)
    expected = logits(masked(intact, model))
    assert not torch.allclose(expected, logits(intact), atol=1e-3), "the filters did matter"
    torch.testing.assert_close(logits(model), expected, rtol=1e-4, atol=1e-4)


def test_a_pre_activation_block_loses_what_its_second_convolution_read() -> None:
    intact = lived_in("wrn16_2")
    report = prune(model := copy.deepcopy(intact), EXAMPLE, 0.5, "block")
    assert len(report.kept) == 6
    for name, kept in report.kept.items():
        second = convolutions(intact)[name.replace("conv1", "conv2")]
        gone = [index for index in range(second.in_channels) if index not in kept]
        assert gone
        with torch.no_grad():
            second.weight[:, gone] = 0
    torch.testing.assert_close(logits(model), logits(intact), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arch", POST_ACTIVATION)
@pytest.mark.parametrize("ratio", [0.5, 0.9])
def test_all_prunes_every_convolution_alike(arch: str, ratio: float) -> None:
    model = build(arch, 10, 0.25)
    before = {name: c.out_channels for name, c in convolutions(model).items()}
    report = prune(model, EXAMPLE, ratio, "all")
    found = convolutions(model)
    assert report.filters == {name: c.out_channels for name, c in found.items()}
    streams = [n for n in found if arch.startswith("resnet") and "layer4" not in n]
    floors = [n for n in streams if n.endswith("conv2") or "downsample" in n or n == "conv1"]
    for name, channels in before.items():
        fewest = 8 if name in floors else 1
        assert report.filters[name] == max(fewest, share(ratio, channels)), name
    strided = [c for c in found.values() if c.kernel_size == (1, 1) and c.stride == (2, 2)]
    assert all(c.in_channels >= 8 for c in strided)
    for name, convolution in found.items():
        if convolution.groups > 1:
            assert convolution.groups == convolution.in_channels == convolution.out_channels, name


def test_what_a_residual_stream_couples_goes_by_the_sum_of_norms() -> None:
    intact = lived_in("resnet18", 0.25)
    report = prune(copy.deepcopy(intact), EXAMPLE, 0.7, "all")
    found = convolutions(intact)
    for stage, channels in enumerate((16, 32, 64, 128), start=1):
        first = "conv1" if stage == 1 else f"layer{stage}.0.downsample.0"
        coupled = {first, f"layer{stage}.0.conv2", f"layer{stage}.1.conv2"}
        (root,) = coupled & set(report.kept)
        total = sum(norms(found[name]) for name in coupled)
        assert isinstance(total, Tensor)
        count = share(0.7, channels)
        largest = total.topk(count if stage == 4 else max(8, count)).indices
        assert report.kept[root] == sorted(largest.tolist())


def test_flops_and_parameters_agree_with_a_count_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        BasicBlock(8, 16, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )

    def flops(filters: int) -> int:
        """Multiply-adds; two for an element of a batch norm, one of an activation or pooling."""
        stem = 64 * (3 * 8 * 9 + 2 * 8 + 8)
        first = 16 * (8 * filters * 9 + 2 * filters + filters)
        second = 16 * (filters * 16 * 9 + 2 * 16)
        shortcut = 16 * (8 * 16 + 2 * 16)
        return stem + first + second + shortcut + 16 * 16 + (16 * 4 + 4)

    def parameters(filters: int) -> int:
        stem, shortcut, head = 3 * 8 * 9 + 2 * 8, 8 * 16 + 2 * 16, 16 * 4 + 4
        first, second = 8 * filters * 9 + 2 * filters, filters * 16 * 9 + 2 * 16
        return stem + first + second + shortcut + head

    report = prune(model, torch.zeros(1, 3, 8, 8), 0.7)
    assert report.filters == {"0": 8, "3.conv1": 4, "3.conv2": 16, "3.downsample.0": 16}
    assert (report.flops_before, report.flops_after) == (flops(16), flops(4))
    assert (report.parameters_before, report.parameters_after) == (parameters(16), parameters(4))


def test_a_frozen_network_is_pruned_too_and_modes_stay() -> None:
    model = lived_in().requires_grad_(False)
    model.get_submodule("layer2").train()
    modes = [module.training for module in model.modules()]
    report = prune(model, EXAMPLE, 0.5)
    assert [module.training for module in model.modules()] == modes
    assert report.parameters_after < report.parameters_before


@pytest.mark.parametrize("layers", ["block", "liu", "all"])
@pytest.mark.parametrize("ratio", [0.5, 0.7, 0.9])
def test_what_is_left_can_be_trained_on_a_cpu(layers: PrunedLayers, ratio: float) -> None:
    """In channels_last, as `train` does: few input channels have crashed there."""
    model = build("resnet34", 10, 0.125)
    prune(model, EXAMPLE, ratio, layers)
    model.train().to(memory_format=torch.channels_last)
    for count in (64, 44):
        images = torch.randn(count, 3, 16, 16).contiguous(memory_format=torch.channels_last)
        F.cross_entropy(model(images), torch.arange(count) % 10).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("ratio", [1.0, -0.1, float("nan")])
def test_a_ratio_outside_its_range_is_an_error(ratio: float) -> None:
    with pytest.raises(UsageError, match=r"^pruning ratio .* is not in \[0, 1\)$"):
        prune(build("resnet18", 10, 0.0625), EXAMPLE, ratio)


@pytest.mark.parametrize(
    ("arch", "layers", "message"),
    [
        ("vgg11", "block", "layers 'block' prunes residual blocks and the network has none"),
        ("mobilenetv2", "liu", "layers 'liu' prunes residual blocks and the network has none"),
        ("resnet18", "liu", "layers 'liu' is for ResNet-34, not for 8 residual blocks"),
        ("resnet18", "every", "unknown layers 'every' to prune: block, liu, all"),
    ],
)
def test_a_network_without_the_layers_asked_for_is_one_line(
    arch: str, layers: PrunedLayers, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        prune(build(arch, 10, 0.0625), EXAMPLE, 0.5, layers)
    assert str(caught.value) == message


@pytest.mark.parametrize("kept", [{"fc": [0]}, {"conv1": [8]}, {"conv1": []}, {"conv9": [0]}])
def test_filters_that_are_not_there_cannot_be_kept(kept: dict[str, list[int]]) -> None:
    with pytest.raises(UsageError, match=next(iter(kept))):
        keep_filters(build("resnet18", 10, 0.0625), EXAMPLE, kept)


@pytest.mark.parametrize(
    ("arch", "layers"), [("resnet34", "block"), *((arch, "all") for arch in ARCHITECTURES)]
)
def test_a_stored_network_comes_back(arch: str, layers: PrunedLayers, tmp_path: Path) -> None:
    classifier = Classifier(arch, 10, 0.125, 16, MEAN, STD)
    model = lived_in(arch)
    report = prune(model, example_of(classifier), 0.9, layers)
    description = PrunedClassifier(classifier, 0.9, layers, report.kept)
    save_pruned(tmp_path / "p", model, description)
    again, read = load_pruned(tmp_path / "p")
    assert read == description
    assert again.training
    assert torch.equal(logits(again.eval()), logits(model))


def test_only_pruned_networks_are_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    with pytest.raises(MissingError, match="is missing"):
        load_pruned(path)
    model = DESCRIPTION.build(0)
    save_classifier(path, model, DESCRIPTION)
    with pytest.raises(UsageError, match="holds no pruned classifier"):
        load_pruned(path)
    kept = prune(model, example_of(DESCRIPTION), 0.5).kept
    save_pruned(path, model, PrunedClassifier(DESCRIPTION, 0.5, "block", kept))
    with pytest.raises(UsageError, match="holds no classifier"):
        load_classifier(path)
    fewer = {name: indices[:-1] for name, indices in kept.items()}
    save_pruned(path, model, PrunedClassifier(DESCRIPTION, 0.5, "block", fewer))
    with pytest.raises(UsageError, match="weights of another network"):
        load_pruned(path)
