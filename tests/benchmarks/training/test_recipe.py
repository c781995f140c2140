"""Learning rates, and settings that no training has."""

import msgspec
import pytest

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.learning_rate import learning_rate

STEP = TrainingRecipe(epochs=1, lr=1.0, milestones=(0.4, 0.8))
COSINE = TrainingRecipe(epochs=1, lr=1.0, schedule="cosine", warmup=0.2)


@pytest.mark.parametrize(
    ("recipe", "done", "expected"),
    [
        (STEP, 0.0, 1.0),
        (STEP, 0.39, 1.0),
        (STEP, 0.4, 0.1),
        (STEP, 0.8, 0.01),
        (COSINE, 0.1, 0.5),
        (COSINE, 0.2, 1.0),
        (COSINE, 0.6, 0.5),
        (COSINE, 1.0, 0.0),
        (TrainingRecipe(epochs=1, lr=0.3, schedule="constant"), 0.9, 0.3),
    ],
)
def test_learning_rate(recipe: TrainingRecipe, done: float, expected: float) -> None:
    assert learning_rate(recipe, done) == pytest.approx(expected)


@pytest.mark.parametrize(
    "setting",
    [
        "lr = 0",
        "lr = inf",
        "epochs = 0",
        "batch_size = 1",
        "milestones = [0.5, 2.0]",
        "crop = -1",
        "nesterov = true\nmomentum = 0",
        "epoch = 3",
        'schedule = "stepwise"',
        "warmup = 1.0",
    ],
)
def test_settings_out_of_range_are_refused(setting: str) -> None:
    text = setting if setting.startswith("epochs") else f"epochs = 2\n{setting}"
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(text, type=TrainingRecipe)
