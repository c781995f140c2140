"""The student of CMI and Fast-DFKD: distilled on the bank of images after each batch.

Teacher and student see the same random views of the images (Hinton et al., 2015). The student, its
optimiser and its learning rate go on from batch to batch.
"""

import math

import torch
from torch import Tensor, nn

from baselines.bank_losses import check_finite
from baselines.bank_settings import BankSettings
from baselines.image_bank import ImageBank
from baselines.named_tensors import load_tensors, part, tensors_of
from baselines.trained_weights import trained_weights
from naturalinversion import priors
from naturalinversion.augmentation import crop_and_flip, normalise, sample_crop_flips
from naturalinversion.inversion.optimizers import set_rate
from naturalinversion.layout import to_fast_layout
from naturalinversion.precision import compute_in
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded
from naturalinversion.teacher.teacher import Teacher


class BankStudent:
    """A network that learns the teacher's outputs on the images of a bank.

    Its frozen weights stay as they are. Raises `SettingError` where all are frozen.
    """

    def __init__(self, teacher: Teacher, network: nn.Module, settings: BankSettings) -> None:
        self.teacher, self.settings = teacher, settings
        self.network = network
        network.eval()  # whose own train() may return nothing
        to_fast_layout(network, teacher.image_shape)
        self.optimizer = torch.optim.SGD(
            trained_weights(network),
            lr=settings.rate_student,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )

    def train(self, bank: ImageBank, number: int, seed: int, progress: Progress) -> None:
        """The steps after batch ``number``. Raises `DivergedError` naming the step."""
        settings, teacher, network = self.settings, self.teacher, self.network
        set_rate(self.optimizer, self._rate(number))
        network.train()
        mean, std = (torch.tensor(v, device=teacher.device) for v in (teacher.mean, teacher.std))
        draws = generator(derive(seed, "distillation"))
        order = bank.order(settings.student_steps, settings.student_batch, draws)
        rows = []
        with seeded(derive(seed, "dropout")), compute_in(teacher.device, teacher.precision):
            for picked in order:
                pixels = random_view(bank.pixels(picked), settings.crop, settings.flip, draws)
                images = normalise(pixels, mean, std).to(teacher.dtype)
                with torch.no_grad():
                    target = teacher(images)
                loss = priors.distillation(network(images), target, settings.temperature)
                loss = settings.temperature**2 * loss
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                rows.append(loss.detach())
                progress(1)
        network.eval()
        if rows:
            check_finite("distillation", torch.stack(rows).cpu())

    def state_dict(self) -> dict[str, Tensor]:
        """The network and its optimiser."""
        found = {f"student.{name}": tensor for name, tensor in self.network.state_dict().items()}
        return found | tensors_of(self.optimizer, "student_optimizer")

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load the network and its optimiser."""
        self.network.load_state_dict(part(state, "student"))
        load_tensors(self.optimizer, state, "student_optimizer")

    def _rate(self, number: int) -> float:
        """A cosine from ``rate_student`` to ``rate_student_end`` over the batches after warm-up."""
        settings = self.settings
        done = (number - settings.warmup) / (settings.epochs - settings.warmup)
        fall = settings.rate_student - settings.rate_student_end
        return settings.rate_student_end + fall * (1 + math.cos(math.pi * done)) / 2


def random_view(pixels: Tensor, crop: int, flip: bool, draws: torch.Generator) -> Tensor:
    """A crop of each image (N, C, H, W) from ``crop`` black pixels around, mirrored or not."""
    crops = sample_crop_flips(len(pixels), padding=crop, flip=flip, generator=draws)
    black = pixels.new_zeros(pixels.shape[1])
    return crop_and_flip(pixels, crops.to(pixels.device), padding=crop, mode="zeros", fill=black)
