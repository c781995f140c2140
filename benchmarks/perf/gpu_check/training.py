"""The training loop: against the CPU, in bfloat16, and resumed against uninterrupted."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.perf.gpu_check.cases import CPU, Sizes, network_on
from benchmarks.perf.gpu_check.check import Check, Measured, differing, relative
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import TrainingHistory, train
from benchmarks.training.losses import cross_entropy_loss
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.precision import Precision

EPOCHS, STOPPED = 4, 2
FIRST, LATER, BF16 = 1e-5, 0.01, 0.05


class _StoppedError(Exception):
    """What ends a run that is to be resumed."""


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """With a ResNet."""
    yield Check("training: updates", partial(_updates, device, sizes))
    yield Check("training: bf16", partial(_bf16, device, sizes))
    for precision in ("fp32", "bf16"):
        yield Check(f"training: resumed, {precision}", partial(_resumed, device, sizes, precision))


def _train(
    device: torch.device,
    sizes: Sizes,
    precision: Precision = "fp32",
    checkpoint: Path | None = None,
    evaluate: Callable[[nn.Module], float] | None = None,
) -> tuple[TrainingHistory, dict[str, Tensor]]:
    """Epochs of two updates, so that the first losses are of nearly untrained weights."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0,
        256,
        (4 * 4 * sizes.batch, 3, sizes.image, sizes.image),
        generator=draws,
        dtype=torch.uint8,
    )
    labels = torch.randint(0, 10, (len(pixels),), generator=draws)
    dataset = DeviceDataset(pixels, labels, torch.full((3,), 0.5), torch.full((3,), 0.25))
    recipe = TrainingRecipe(
        epochs=EPOCHS,
        batch_size=4 * sizes.batch,
        updates_per_epoch=2,
        lr=0.005,
        crop=2,
        evaluate_every=1,
    )
    model = network_on("resnet18", sizes, CPU)
    history = train(
        model,
        dataset,
        recipe,
        loss=cross_entropy_loss(),
        seed=0,
        device=device,
        evaluate=evaluate,
        checkpoint=Checkpoint(checkpoint, every=0.0) if checkpoint else None,
        precision=precision,
    )
    return history, model.state_dict()


def _updates(device: torch.device, sizes: Sizes) -> Sequence[Measured]:
    (found, _), (expected, _) = _train(device, sizes), _train(CPU, sizes)
    first, later = _differences(found, expected)
    return Measured("first to the CPU", first, FIRST), Measured("later", later, LATER)


def _bf16(device: torch.device, sizes: Sizes) -> Sequence[Measured]:
    (found, _), (expected, _) = _train(device, sizes, "bf16"), _train(CPU, sizes)
    return [Measured("losses to the CPU in float32", max(_differences(found, expected)), BF16)]


def _resumed(device: torch.device, sizes: Sizes, precision: Precision) -> Sequence[Measured]:
    epochs = 0

    def stop(model: nn.Module) -> float:
        nonlocal epochs
        epochs += 1
        if epochs == STOPPED:
            raise _StoppedError
        return 0.0

    whole, weights = _train(device, sizes, precision)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "training"
        with suppress(_StoppedError):
            _train(device, sizes, precision, checkpoint, stop)
        if not checkpoint.is_file():
            raise RuntimeError("the stopped run left no checkpoint")
        resumed, again = _train(device, sizes, precision, checkpoint)
    losses = sum(a != b for a, b in zip(whole.losses, resumed.losses, strict=True))
    return (
        Measured("bytes that differ", sum(differing(weights[n], again[n]) for n in weights), 0),
        Measured("losses that differ", losses, 0),
    )


def _differences(found: TrainingHistory, expected: TrainingHistory) -> tuple[float, float]:
    pairs = zip(torch.tensor(found.losses), torch.tensor(expected.losses), strict=True)
    first, *later = [relative(*pair) for pair in pairs]
    return first, max(later)
