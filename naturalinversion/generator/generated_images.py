"""Images made by a generator, a pyramid and a channel scale (Kim et al., 2022, Eq. 5 to 7)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.generator.conditional_generator import ConditionalGenerator
from naturalinversion.generator.pyramid import FeatureTransferPyramid
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.jitter import ImageTransform
from naturalinversion.seeds import refill
from naturalinversion.teacher.teacher import Teacher


class GeneratedImages(nn.Module):
    """The `ImageSource` of NaturalInversion: alpha * P(G(latent, label)), for ``labels`` (N,).

    ``scale`` is the initial alpha (N, C, 1, 1), or a constant instead. Without a pyramid the
    generator's image goes through ``output_head``. ``latent`` is (N, Z); with ``draws`` new latents
    are drawn from that random generator before every iteration. ``rates`` are the learning rates of
    generator, pyramid and alpha.
    """

    capturable = True

    def __init__(
        self,
        teacher: Teacher,
        generator: ConditionalGenerator,
        pyramid: FeatureTransferPyramid | None,
        scale: Tensor | float,
        *,
        output_head: nn.Module | None = None,
        latent: Tensor,
        labels: Tensor,
        rates: tuple[float, float, float],
        feature_gradient: bool = False,
        draws: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.generator = generator
        self.pyramid = pyramid
        self.output_head = nn.Identity() if output_head is None else output_head
        self.scale = nn.Parameter(scale) if isinstance(scale, Tensor) else scale
        self.latent = latent  # (N, Z)
        self.one_hot = F.one_hot(labels, teacher.num_classes).to(latent.dtype)  # (N, K)
        self.rates = rates
        self.feature_gradient = feature_gradient
        self.draws = draws

    def leaves(self) -> list[Tensor]:
        """Everything that is optimised."""
        return list(self.parameters())

    def tensors(self) -> list[Tensor]:
        """What is optimised, the batch norms' buffers, latents and labels."""
        return [*self.parameters(), *self.buffers(), self.latent, self.one_hot]

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, with the learning rates of generator, pyramid and scale."""
        groups = [{"params": list(self.generator.parameters()), "lr": self.rates[0]}]
        heads = [
            *self.output_head.parameters(),
            *(self.pyramid.parameters() if self.pyramid else ()),
        ]
        if heads:
            groups.append({"params": heads, "lr": self.rates[1]})
        if isinstance(self.scale, nn.Parameter):
            groups.append({"params": [self.scale], "lr": self.rates[2]})
        return torch.optim.Adam(groups, fused=True, capturable=supports_capture(self.latent.device))

    def redraw(self, draws: torch.Generator) -> None:
        """New latents in float32, whatever their type is, in place."""
        refill(self.latent, torch.randn(self.latent.shape, generator=draws, dtype=torch.float32))

    def render(self, transform: ImageTransform | None) -> Tensor:
        """Images (N, C, H, W); ``transform`` is applied between generator and pyramid."""
        images: Tensor = self.generator(self.latent, self.one_hot)
        if transform is not None:
            images = transform(images)
        if self.pyramid is not None:
            images = self.pyramid(images, self._maps(images))
        else:
            images = self.output_head(images)
        return images * self.scale

    def _maps(self, images: Tensor) -> tuple[Tensor, ...]:
        if self.feature_gradient:
            return self.teacher.observe(images, maps=True).maps
        with torch.no_grad():
            return self.teacher.observe(images.detach(), maps=True).maps
