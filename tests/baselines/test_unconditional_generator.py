"""The generator of DAFL, DFAD, CMI and Fast-DFKD is its published layers, written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion.seeds import generator, seeded


@pytest.mark.parametrize(
    ("pixels", "eps", "size"), [(False, 0.8, (32, 32)), (False, 1e-5, (8, 16)), (True, 1e-5, 16)]
)
def test_it_is_its_layers_one_after_another(
    pixels: bool, eps: float, size: int | tuple[int, int]
) -> None:
    """A norm has the batch's statistics; the two inner ones may have an epsilon of their own."""
    with seeded(0):
        network = UnconditionalGenerator(8, image_size=size, width=0.1, eps=eps, pixels=pixels)
        network.double()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0.3)
    state = dict(network.named_parameters())
    assert ("body.2.bias" in state) == (not pixels), "a norm follows, which takes it away"

    def norm(maps: Tensor, name: str, eps: float) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.batch_norm(maps, None, None, weight, bias, training=True, eps=eps)

    def conv(maps: Tensor, name: str) -> Tensor:
        return F.conv2d(maps, state[f"{name}.weight"], state.get(f"{name}.bias"), padding=1)

    latent = torch.randn(6, 8, dtype=torch.float64, generator=generator(1))
    maps = F.linear(latent, state["project.weight"], state["project.bias"])
    maps = norm(maps.view(6, network.channels, *network.base), "body.0", 1e-5)
    maps = conv(F.interpolate(maps, scale_factor=2), "body.2")
    maps = F.leaky_relu(norm(maps, "body.3", eps), 0.2)
    maps = conv(F.interpolate(maps, scale_factor=2), "body.6")
    maps = F.leaky_relu(norm(maps, "body.7", eps), 0.2)
    maps = conv(maps, "body.9")
    if pixels:
        expected = maps.sigmoid()
    else:
        expected = F.batch_norm(maps.tanh(), None, None, training=True, eps=1e-5)
    torch.testing.assert_close(network(latent), expected)
