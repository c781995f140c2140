"""The digits inside scikit-learn: 1,797 grey images of 8x8 in ten classes, always at hand.

Grey levels 0..16 become uint8 0..255 in three equal channels, resized (bilinear). 500 images are
the test split, stratified by class and sampled with a fixed seed.
"""

import numpy as np
import sklearn.datasets
import torch
from sklearn.model_selection import train_test_split

from benchmarks.datasets.dataset import Dataset, Split, resize

DEFAULT_SIZE = 32
TEST_IMAGES = 500
SPLIT_SEED = 0

# Mean and standard deviation over all pixels of the training split at 32x32, in [0, 1], to four
# digits. Fixed, so that teachers trained at other sizes share them; a test measures them again.
MEAN = 0.3055
STD = 0.3234


def load_digits(image_size: int | None = None) -> Dataset:
    """The digits at ``image_size`` pixels a side (None: 32)."""
    bunch = sklearn.datasets.load_digits()
    greys = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # (N, 8, 8)
    native = torch.from_numpy(greys)[:, None].expand(-1, 3, -1, -1)
    images = resize(native, DEFAULT_SIZE if image_size is None else image_size)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=TEST_IMAGES,
        random_state=SPLIT_SEED,
        stratify=bunch.target,
    )
    return Dataset(
        "digits",
        Split(images[np.sort(train)].contiguous(), labels[np.sort(train)]),
        Split(images[np.sort(test)].contiguous(), labels[np.sort(test)]),
        tuple(str(name) for name in bunch.target_names),
        (MEAN, MEAN, MEAN),
        (STD, STD, STD),
    )
