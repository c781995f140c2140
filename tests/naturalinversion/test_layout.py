"""The faster memory layout, and networks that fail in it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.layout import layout_kept, to_fast_layout

LAST = torch.channels_last


class Net(nn.Module):
    """Reads its maps with ``view``, which needs them contiguous, or with ``flatten``."""

    def __init__(self, viewing: bool) -> None:
        super().__init__()
        self.viewing = viewing
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout().eval()  # a mode of its own

    def forward(self, images: Tensor) -> Tensor:
        maps = self.drop(self.conv(images))
        return maps.view(len(maps), -1) if self.viewing else maps.flatten(1)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("viewing", [True, False])
def test_a_network_computes_the_same_in_it_whatever_it_is_given(
    viewing: bool, weights: bool
) -> None:
    model, images = Net(viewing), torch.randn(2, 3, 8, 8)
    expected = model(images)
    names = list(model.state_dict())
    to_fast_layout(model, (3, 8, 8), weights=weights)
    torch.testing.assert_close(model(images.contiguous(memory_format=LAST)), expected)
    torch.testing.assert_close(model(images), expected)
    fast = weights and not viewing
    assert model.conv.weight.is_contiguous(memory_format=LAST) == fast
    assert (model.training, model.drop.training) == (True, False)
    assert list(model.state_dict()) == names


class Experts(nn.Module):
    """Convolves with the mean of its kernels, one weight of five dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3)
        self.kernels = nn.Parameter(torch.randn(2, 4, 3, 3, 3))

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(self.first(images), self.kernels.mean(dim=0)).flatten(1)


@pytest.mark.parametrize("weights", [True, False])
def test_a_network_with_a_weight_that_can_not_lie_so_keeps_the_usual_layout(weights: bool) -> None:
    model, images = Experts(), torch.randn(2, 3, 8, 8)
    expected = model(images)
    to_fast_layout(model, (3, 8, 8), weights=weights)
    torch.testing.assert_close(model(images.contiguous(memory_format=LAST)), expected)
    assert all(weight.is_contiguous() for weight in model.parameters())


def test_a_network_that_fails_in_any_layout_is_left_to_say_so() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(5, 2))
    to_fast_layout(model, (3, 8, 8))
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("viewing", [True, False])
@pytest.mark.parametrize("own", [torch.contiguous_format, LAST])
def test_weights_lie_as_before_after_the_block_with_the_values_it_gave_them(
    own: torch.memory_format, viewing: bool
) -> None:
    model = Net(viewing).to(memory_format=own)
    model.register_forward_pre_hook(lambda module, given: None)
    strides = [tensor.stride() for tensor in model.parameters()]
    expected = [2 * tensor.detach() for tensor in model.parameters()]
    with layout_kept(model):
        to_fast_layout(model, (3, 8, 8))
        assert len(model._forward_pre_hooks) == 1 + viewing
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.mul_(2)
    assert len(model._forward_pre_hooks) == 1, "the caller's own"
    assert [tensor.stride() for tensor in model.parameters()] == strides
    for found, value in zip(model.parameters(), expected, strict=True):
        assert torch.equal(found, value)
