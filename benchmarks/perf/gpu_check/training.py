"""The training loop: against the CPU, in bfloat16, captured against eager, and resumed."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.perf.gpu_check.cases import CPU, Sizes, network_on, teacher
from benchmarks.perf.gpu_check.check import Check, Measured, cuda_missing, differing, relative
from benchmarks.perf.gpu_check.replays import at_replays
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import TrainingHistory, train
from benchmarks.training.losses import cross_entropy_loss, distillation_loss
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.inversion.cuda_graph import eager
from naturalinversion.precision import Precision

EPOCHS, STOPPED = 4, 2
FULL = 2  # batches of an epoch
FIRST, LATER, BF16, CAPTURED = 1e-5, 0.01, 0.05, 1e-5


class _StoppedError(Exception):
    """What ends a run that is to be resumed."""


@dataclass(frozen=True)
class Training:
    """A network to train: epochs of two updates, so that the first losses are of its own weights.

    With ``short`` a third one follows, of a smaller batch; with ``teacher`` the network is
    distilled from a ResNet.
    """

    device: torch.device
    sizes: Sizes
    arch: str = "resnet18"
    precision: Precision = "fp32"
    short: bool = False
    teacher: bool = False

    def run(
        self,
        device: torch.device | None = None,
        checkpoint: Path | None = None,
        evaluate: Callable[[nn.Module], float] | None = None,
    ) -> tuple[TrainingHistory, dict[str, Tensor]]:
        """What came of it, and the weights; captured where the device can."""
        device, batch = device or self.device, 4 * self.sizes.batch
        loss = cross_entropy_loss()
        if self.teacher:
            loss = distillation_loss(teacher("resnet18", self.sizes, device, self.precision))
        recipe = TrainingRecipe(
            epochs=EPOCHS,
            batch_size=batch,
            updates_per_epoch=0 if self.short else FULL,
            lr=0.005,
            crop=2,
            evaluate_every=1,
        )
        model = network_on(self.arch, self.sizes, CPU, seed=int(self.teacher))
        history = train(
            model,
            self._images(FULL * batch + batch // 2 if self.short else 4 * batch),
            recipe,
            loss=loss,
            seed=0,
            device=device,
            evaluate=evaluate,
            checkpoint=Checkpoint(checkpoint, every=0.0) if checkpoint else None,
            precision=self.precision,
            capture_from=1,
        )
        return history, model.state_dict()

    def _images(self, count: int) -> DeviceDataset:
        draws, size = torch.Generator().manual_seed(0), self.sizes.image
        pixels = torch.randint(0, 256, (count, 3, size, size), generator=draws, dtype=torch.uint8)
        labels = torch.randint(0, 10, (count,), generator=draws)
        return DeviceDataset(pixels, labels, torch.full((3,), 0.5), torch.full((3,), 0.25))


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """With a ResNet; captured ones with a teacher and with dropout as well."""
    resnet, cuda = partial(Training, device, sizes), cuda_missing(device)
    yield Check("training: updates", partial(_updates, resnet()))
    yield Check("training: bf16", partial(_bf16, resnet(precision="bf16")))
    captured = {
        "fp32": resnet(short=True),
        "distilled, bf16": resnet(short=True, teacher=True, precision="bf16"),
        "mobilenetv2": resnet("mobilenetv2", short=True),
    }
    for about, training in captured.items():
        yield Check(f"training: captured, {about}", partial(_captured, training), cuda)
    resumed = {
        "fp32": resnet(),
        "bf16": resnet(precision="bf16"),
        "vgg11": resnet("vgg11", short=True),
        "distilled, bf16": resnet("mobilenetv2", "bf16", short=True, teacher=True),
    }
    for about, training in resumed.items():
        yield Check(f"training: resumed, {about}", partial(_resumed, training))


def _updates(training: Training) -> Sequence[Measured]:
    (found, _), (expected, _) = training.run(), training.run(CPU)
    first, later = _differences(found, expected)
    return Measured("first to the CPU", first, FIRST), Measured("later", later, LATER)


def _bf16(training: Training) -> Sequence[Measured]:
    (found, _), (expected, _) = training.run(), replace(training, precision="fp32").run(CPU)
    return [Measured("losses to the CPU in float32", max(_differences(found, expected)), BF16)]


def _captured(training: Training) -> Sequence[Measured]:
    """Every full batch is a replay, and the weights are those without one."""
    replayed: list[None] = []
    with at_replays(lambda: replayed.append(None)):
        found, weights = training.run()
    with eager():
        expected, others = training.run()
    return (
        Measured("losses to eager", max(_differences(found, expected)), CAPTURED),
        Measured("weights", max(relative(weights[n], others[n]) for n in weights), CAPTURED),
        Measured("not replayed", abs(EPOCHS * FULL - len(replayed)), 0),
    )


def _resumed(training: Training) -> Sequence[Measured]:
    epochs = 0

    def stop(model: nn.Module) -> float:
        nonlocal epochs
        epochs += 1
        if epochs == STOPPED:
            raise _StoppedError
        return 0.0

    whole, weights = training.run()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "training"
        with suppress(_StoppedError):
            training.run(checkpoint=checkpoint, evaluate=stop)
        if not checkpoint.is_file():
            raise RuntimeError("the stopped run left no checkpoint")
        resumed, again = training.run(checkpoint=checkpoint)
    losses = sum(a != b for a, b in zip(whole.losses, resumed.losses, strict=True))
    return (
        Measured("bytes that differ", sum(differing(weights[n], again[n]) for n in weights), 0),
        Measured("losses that differ", losses, 0),
    )


def _differences(found: TrainingHistory, expected: TrainingHistory) -> tuple[float, float]:
    pairs = zip(torch.tensor(found.losses), torch.tensor(expected.losses), strict=True)
    first, *later = [relative(*pair) for pair in pairs]
    return first, max(later)
