"""Numbers that follow from the published architectures: parameters, hooks, labels, seeds."""

import pytest
import torch
from torch import nn

from baselines.dafl import DAFL
from baselines.dfad import DFAD
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import Teacher
from naturalinversion.classifiers import ARCHITECTURES, build
from naturalinversion.classifiers.mobilenet import DepthwiseConv
from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import balanced_labels

RESNET_STAGES = [(64, 32), (128, 16), (256, 8), (512, 4)]


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("classes", "count"), [(10, 8_702_467), (100, 9_439_747)])
def test_conditional_generator(classes: int, count: int) -> None:
    assert parameters(ConditionalGenerator(classes)) == count


def test_dafl_and_dfad_generators() -> None:
    assert parameters(UnconditionalGenerator(1000, eps=0.8)) == 8_423_939
    assert parameters(UnconditionalGenerator(256)) == 2_329_091


@pytest.mark.parametrize(("method", "eps"), [(DAFL(), 0.8), (DFAD(), 1e-5)], ids=["dafl", "dfad"])
def test_the_inner_batch_norms_of_dafls_generator_have_the_eps_of_its_code(
    method: DAFL | DFAD, eps: float
) -> None:
    made = method.build_generator((3, 32, 32))
    norms = [layer.eps for layer in made.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms == [1e-5, eps, eps, 1e-5]


def test_pyramid_of_resnet34() -> None:
    teacher = Teacher(build("resnet34", 10), num_classes=10)
    assert [(s.channels, s.size[0]) for s in teacher.stages] == RESNET_STAGES
    assert parameters(FeatureTransferPyramid(teacher.stages, 32)) == 947_279


@pytest.mark.parametrize("arch", ["vgg11", "vgg16"])
def test_pyramid_of_vgg_is_that_of_resnet(arch: str) -> None:
    teacher = Teacher(build(arch, 10), num_classes=10)
    assert [(s.channels, s.size[0]) for s in teacher.stages] == RESNET_STAGES


@pytest.mark.parametrize(
    ("arch", "count"),
    [("resnet34", 36), ("resnet18", 20), ("vgg11", 8), ("vgg16", 13), ("mobilenetv2", 52)],
)
def test_batch_norms_seen(arch: str, count: int) -> None:
    teacher = Teacher(build(arch, 10, 0.125), num_classes=10)
    assert len(teacher.batch_norms) == count
    assert len(teacher.observe(torch.randn(2, 3, 32, 32), statistics=True).statistics) == count


@pytest.mark.parametrize(
    ("arch", "millions"), [("resnet34", 21.3), ("resnet18", 11.2), ("mobilenetv2", 2.2)]
)
def test_classifiers_have_the_published_size(arch: str, millions: float) -> None:
    assert round(parameters(build(arch, 10)) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("arch", "classes", "count"),
    [
        ("vgg11", 10, 9_756_426),
        ("vgg11", 100, 9_802_596),
        ("vgg16", 10, 15_253_578),
        ("vgg16", 100, 15_299_748),
        ("mobilenetv2", 10, 2_236_682),
        ("mobilenetv2", 100, 2_351_972),
    ],
)
def test_parameters_of_vgg_and_mobilenet(arch: str, classes: int, count: int) -> None:
    assert parameters(build(arch, classes)) == count


def test_vgg_starts_and_drops_out_as_published() -> None:
    """Dropout before each hidden linear layer, convolutions from N(0, 2 / (k^2 C_out))."""
    with seeded(0):
        network = build("vgg11", 10)
    kinds = [type(layer).__name__ for layer in network.classifier]
    assert kinds == ["Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 100_000:
            expected = (2 / (9 * layer.out_channels)) ** 0.5
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.01)
            assert layer.bias is not None
            assert not layer.bias.any()


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.filterwarnings("ignore::naturalinversion.errors.TeacherWarning")
def test_the_pyramid_reads_classifiers_of_both_image_sizes_to_the_end(arch: str, size: int) -> None:
    """Nothing is left out that is worth a warning."""
    teacher = Teacher(build(arch, 4, 0.0625), num_classes=4, image_shape=(3, size, size))
    stages = 3 if arch.startswith("wrn") else 4
    assert [s.size[0] for s in teacher.stages] == [size >> stage for stage in range(stages)]
    assert not teacher.left_out


@pytest.mark.parametrize(("classes", "allowed"), [(10, {25, 26}), (100, {2, 3})])
def test_labels_are_balanced(classes: int, allowed: set[int]) -> None:
    counts = torch.bincount(balanced_labels(256, classes, seed=0), minlength=classes)
    assert set(counts.tolist()) == allowed
    assert not torch.equal(balanced_labels(256, classes, 0), balanced_labels(256, classes, 1))


@pytest.mark.parametrize(("side", "stride"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_a_depthwise_convolution_is_one_at_every_size(side: int, stride: int) -> None:
    with seeded(0):
        ours = DepthwiseConv(8, 8, 3, stride, 1, groups=8, bias=False)
        plain = nn.Conv2d(8, 8, 3, stride, 1, groups=8, bias=False)
        plain.load_state_dict(ours.state_dict())
        images = torch.randn(2, 8, side, side)
    torch.testing.assert_close(ours(images), plain(images))
