"""Remove the filters with the smallest L1 norms from a network, in one shot (Figure 6).

Li et al., "Pruning Filters for Efficient ConvNets" (2017), as Liu et al., "Rethinking the Value of
Network Pruning" (2019) carry it out: the same ratio in every layer, every norm measured on the
intact network, channels removed for real. NaturalInversion cites Liu et al. (2017), which prunes by
batch norm weights, but describes L1 norms.

torch-pruning finds what depends on a filter: its batch norm, and the next layers' input channels.
A pruned network is stored as weights whose header names the network and the filters it has left.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import torch
import torch_pruning
from torch import Tensor, nn

from benchmarks.recipes.schema import PrunedLayers
from naturalinversion.classifiers.resnet import BasicBlock
from naturalinversion.classifiers.scaling import MIN_CHANNELS
from naturalinversion.classifiers.weights import (
    Classifier,
    load_described,
    load_state,
    save_described,
)
from naturalinversion.classifiers.wide_resnet import PreActivationBlock
from naturalinversion.errors import UsageError
from naturalinversion.module_modes import modes_kept

HEADER = "pruned classifier"  # of the weights of one

# Liu et al.'s preset for ResNet-34: the 3x3 convolutions that they leave alone, counted from 1, the
# stem. Block i's first one is number 2 + 2i, so the last three are all of the fourth stage.
LIU_SKIPS = frozenset({2, 8, 14, 16, 26, 28, 30, 32})
LIU_BLOCKS = 16
RESIDUAL_BLOCKS = (BasicBlock, PreActivationBlock)


class PruningResult(msgspec.Struct, frozen=True):
    """What `prune` did. ``flops`` are those of one image as torch-pruning counts them.

    A multiply-add counts once; batch norms, activations and poolings count per element.
    """

    kept: dict[str, list[int]]  # the filters left of a convolution; coupled ones: of one of them
    filters: dict[str, int]  # how many filters every convolution has now
    flops_before: int
    flops_after: int
    parameters_before: int
    parameters_after: int


def prune(
    model: nn.Module, example: Tensor, ratio: float, layers: PrunedLayers = "block"
) -> PruningResult:
    """Remove ``ratio`` of the filters of every pruned layer of ``model``, in place.

    ``example`` (1, 3, H, W) lies on the model's device. ``layers`` says which convolutions:

    * "block": the first of every residual block; stem, second ones and shortcuts stay whole;
    * "liu": the same without those that Liu et al. leave alone in ResNet-34;
    * "all": every one. Channels that a residual stream or a depthwise convolution couples go
      together, by the sum of their filters' norms, and what feeds a strided 1x1 convolution keeps
      at least eight (see ``naturalinversion.classifiers.scaling``).

    Raises `UsageError` for a ratio outside [0, 1) or a network without the blocks asked for.
    """
    if not 0 <= ratio < 1:
        raise UsageError(f"pruning ratio {ratio} is not in [0, 1)")
    if layers not in get_args(PrunedLayers):
        raise UsageError(f"unknown layers '{layers}' to prune: {', '.join(get_args(PrunedLayers))}")
    if layers == "all":
        kept = _coupled(model, example, ratio)
    else:
        kept = _first_of_blocks(model, ratio, layers)
    before = _size(model, example)
    keep_filters(model, example, kept)
    after = _size(model, example)
    filters = {n: m.out_channels for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    return PruningResult(kept, filters, before[0], after[0], before[1], after[1])


def keep_filters(model: nn.Module, example: Tensor, kept: Mapping[str, Sequence[int]]) -> None:
    """Remove all but the filters ``kept`` of the convolutions named, and what hangs on them.

    Raises `UsageError` when the network has no such convolution or filter.
    """
    modules = dict(model.named_modules())
    graph = _graph(model, example)
    for name, indices in kept.items():
        convolution = modules.get(name)
        if not isinstance(convolution, nn.Conv2d):
            raise UsageError(f"the network has no convolution '{name}' to prune")
        filters = set(range(convolution.out_channels))
        if not indices or not filters.issuperset(indices):
            raise UsageError(f"filters {indices} can't be kept of the {len(filters)} of '{name}'")
        if gone := sorted(filters.difference(indices)):
            remove = torch_pruning.prune_conv_out_channels
            graph.get_pruning_group(convolution, remove, gone).prune()


class PrunedClassifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``classifier`` without the filters that are not in ``kept``."""

    classifier: Classifier
    ratio: float
    layers: PrunedLayers
    kept: dict[str, list[int]]


def example_of(classifier: Classifier) -> Tensor:
    """An image (1, 3, H, W) of the size that ``classifier`` takes."""
    return torch.zeros(1, 3, classifier.image_size, classifier.image_size)


def save_pruned(path: Path, model: nn.Module, description: PrunedClassifier) -> None:
    """Write the weights and their description atomically."""
    save_described(path, model, HEADER, description)


def load_pruned(path: Path) -> tuple[nn.Module, PrunedClassifier]:
    """A network that `save_pruned` wrote, in training mode, and its description.

    Raises `MissingError` without the file and `UsageError` when it holds something else.
    """
    description, state = load_described(path, HEADER, PrunedClassifier)
    model = description.classifier.build(0)
    keep_filters(model, example_of(description.classifier), description.kept)
    load_state(model, state, path)
    return model, description


def filter_norms(convolution: nn.Conv2d) -> Tensor:
    """The L1 norm of every filter (C_out,), float64 on the host: the same on every device."""
    return convolution.weight.detach().cpu().double().abs().sum(dim=(1, 2, 3))


def pruned_blocks(
    model: nn.Module, layers: PrunedLayers
) -> list[tuple[str, BasicBlock | PreActivationBlock]]:
    """The residual blocks of ``model`` by name, of which ``layers``, not "all", are a part.

    Raises `UsageError` for a network without the blocks asked for.
    """
    blocks = [(n, m) for n, m in model.named_modules() if isinstance(m, RESIDUAL_BLOCKS)]
    if not blocks:
        raise UsageError(f"layers '{layers}' prunes residual blocks and the network has none")
    if layers == "liu" and len(blocks) != LIU_BLOCKS:
        raise UsageError(f"layers 'liu' is for ResNet-34, not for {len(blocks)} residual blocks")
    return blocks


def _first_of_blocks(model: nn.Module, ratio: float, layers: PrunedLayers) -> dict[str, list[int]]:
    skips = LIU_SKIPS if layers == "liu" else frozenset()
    return {
        f"{name}.conv1": _keep_largest(filter_norms(block.conv1), ratio)
        for index, (name, block) in enumerate(pruned_blocks(model, layers))
        if 2 + 2 * index not in skips
    }


def _coupled(model: nn.Module, example: Tensor, ratio: float) -> dict[str, list[int]]:
    graph = _graph(model, example)
    names = {module: name for name, module in model.named_modules()}
    kept = {}
    for group in graph.get_all_groups(root_module_types=(nn.Conv2d,)):
        root = group[0].dep.target.module
        norms = torch.zeros(root.out_channels, dtype=torch.float64)
        fewest = 1
        for item in group:
            layer = item.dep.target.module
            if not isinstance(layer, nn.Conv2d):
                continue
            if graph.is_out_channel_pruning_fn(item.dep.handler):
                norms[item.root_idxs] += filter_norms(layer)[item.idxs]
            elif layer.kernel_size == (1, 1) and layer.stride != (1, 1):
                fewest = MIN_CHANNELS
        kept[names[root]] = _keep_largest(norms, ratio, fewest)
    return kept


def _keep_largest(norms: Tensor, ratio: float, fewest: int = 1) -> list[int]:
    """The indices, ascending, of the ``int(C * (1 - ratio))`` largest of C norms, one at least."""
    exact = len(norms) * (1 - ratio)
    count = max(math.floor(exact + 1e-9), fewest)  # 20 * (1 - 0.9) is a hair below 2
    order = norms.argsort(descending=True, stable=True)
    return sorted(order[:count].tolist())


def _graph(model: nn.Module, example: Tensor) -> Any:
    """What depends on what in ``model``, whose modes are left as they were."""
    probe = example.detach().clone().requires_grad_()  # traced by autograd, frozen weights or not
    with modes_kept(model), torch.enable_grad():
        return torch_pruning.DependencyGraph().build_dependency(model, (probe,))


def _size(model: nn.Module, example: Tensor) -> tuple[int, int]:
    """FLOPs for one image and parameters."""
    flops, parameters = torch_pruning.utils.count_ops_and_params(model, example)
    return int(flops), int(parameters)
