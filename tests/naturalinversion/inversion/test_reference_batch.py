"""Weights of the loss at other batch sizes than those they were chosen for."""

from typing import Any

import pytest

from baselines import METHODS
from naturalinversion.inversion.objective import Weights

GIVEN = {"cross_entropy": 2.0, "bn_statistics": 3.0, "total_variation": 4e-3, "l2": 1e-3}


@pytest.mark.parametrize("name", ["di", "adi", "ni", "ni_adi"])
def test_a_smaller_batch_has_larger_weights_of_the_norms_alone(name: str) -> None:
    """By the root of the sizes' ratio: an image's gradient of a norm is over the root of both."""
    compete = {"compete": 5.0} if "adi" in name else {}
    method: Any = METHODS[name](reference_batch=256, **GIVEN, **compete)
    unscaled = Weights(**GIVEN, **compete)
    assert method.weights(64) == Weights(**GIVEN | {"total_variation": 8e-3, "l2": 2e-3}, **compete)
    assert method.weights(256) == unscaled
    for size in (64, 256):
        assert METHODS[name](**GIVEN, **compete).weights(size) == unscaled, "whatever the size"
