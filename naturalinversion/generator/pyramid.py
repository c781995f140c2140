"""The Feature Transfer Pyramid (Kim et al., AAAI 2022, Eq. 5 and Fig. 1c).

Differs from the paper where the official code does: block ``l`` adds f_{N-l+1}, not f_{N-l} (the
text agrees with the code, Eq. 5 does not); the last block does not upsample; the pyramid's output
and the generator's meet in a 1x1 convolution and a tanh before the channels are scaled (``head``
chooses Eq. 7 as printed instead). A 1x1 convolution and nearest upsampling commute, so the
convolution runs first, at a quarter of the cost.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from naturalinversion.errors import SettingError
from naturalinversion.generator.image_size import height_and_width
from naturalinversion.generator.upsampling import upsample_nearest
from naturalinversion.teacher.stages import Stage

Head = Literal["conv_tanh", "tanh", "none"]


class FeatureTransferPyramid(nn.Module):
    """Combine a classifier's feature maps, coarse to fine, into a correction of the image.

    ``stages`` are the classifier's, fine to coarse (`Teacher.stages`). ``used`` picks maps by the
    paper's index, 1 the finest: all blocks stay, maps not used are left out of the sums (Table 4).
    ``head`` follows the sum of the correction and the generator's image. ``image_size`` is a side
    in pixels, or (H, W). Raises `SettingError` for stages that the classifier does not have.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        image_size: int | tuple[int, int],
        *,
        channels: int = 3,
        used: Sequence[int] | None = None,
        head: Head = "conv_tanh",
    ) -> None:
        super().__init__()
        count = len(stages)
        if not count:
            raise SettingError(
                "the classifier has no feature maps for a pyramid that smallest_stage lets in (by "
                "default an eighth of the images' shorter side): set pyramid to false"
            )
        self.used = frozenset(range(1, count + 1) if used is None else used)
        if not self.used <= set(range(1, count + 1)):
            raise SettingError(
                f"pyramid_stages is {sorted(self.used)}, the classifier has 1 to {count}"
            )
        coarse_to_fine = list(stages)[::-1]
        widths = [stage.channels for stage in coarse_to_fine]
        self.sizes = [*(stage.size for stage in coarse_to_fine[1:]), height_and_width(image_size)]
        self.merge = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for c in widths[1:])
        self.reduce = nn.ModuleList(
            nn.Conv2d(before, after, 1)
            for before, after in zip(widths, [*widths[1:], channels], strict=True)
        )
        self.mix = nn.Conv2d(channels, channels, 1) if head == "conv_tanh" else None
        self.tanh = head != "none"

    def forward(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Enhance ``images`` (N, C, H, W) by ``maps`` (N, C_l, H_l, W_l), fine to coarse."""
        count = len(maps)
        enhanced = self._block(0, self._used(maps[-1], count))
        for index in range(1, count):
            merged = enhanced + self._used(maps[-1 - index], count - index)
            enhanced = self._block(index, self.merge[index - 1](merged))
        out = images + enhanced
        if self.mix is not None:
            out = self.mix(out)
        return torch.tanh(out) if self.tanh else out

    def _block(self, index: int, features: Tensor) -> Tensor:
        reduced: Tensor = self.reduce[index](features)
        size = self.sizes[index]
        return reduced if reduced.shape[-2:] == size else upsample_nearest(reduced, size)

    def _used(self, features: Tensor, number: int) -> Tensor:
        return features if number in self.used else torch.zeros_like(features)
