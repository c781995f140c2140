"""Image trees to read, and a cache of decoded images that is the test's own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.datasets.trees import MakeTree


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Random PNGs, four to train and two to test of each class; pixel (0, 0) is the label."""

    def make(name: str = "own", classes: int = 3, size: int = 32, names: str = "class{}") -> Path:
        rng = np.random.default_rng(0)
        for split, count in (("train", 4), ("test", 2)):
            for label in range(classes):
                folder = tmp_path / name / split / names.format(label)
                folder.mkdir(parents=True)
                for index in range(count):
                    pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
                    pixels[0, 0] = label
                    Image.fromarray(pixels).save(folder / f"{index}.png")
        return tmp_path / name

    return make
