"""Methods are dataclasses of their settings: what they learn and keep takes no part in that."""

from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from baselines import METHODS
from naturalinversion import Teacher, Training
from tests.contract.contract_methods import SMALL, small
from tests.naturalinversion.small_methods import network

SUITES = [name for name in SMALL if "-" not in name]


def prepared(name: str) -> Any:
    method = small(name)
    teacher = Teacher(network("vgg11", 0), num_classes=10, image_shape=(3, 16, 16))
    student = None if method.student_use == "none" else network("vgg11", 1)
    method.prepare(teacher, student, 0, Training())
    return method


def test_every_method_is_asked() -> None:
    assert set(SUITES) == set(METHODS)


@pytest.mark.parametrize("name", SUITES)
def test_methods_of_equal_settings_are_equal_before_and_after_prepare(name: str) -> None:
    fresh: Any = small(name)
    assert fresh == small(name)
    used = prepared(name)
    assert used == fresh
    settings = {f.name: getattr(fresh, f.name) for f in fields(fresh)}
    assert asdict(used) == asdict(fresh) == settings
    assert not any(setting.startswith("_") for setting in settings)
    for setting, value in settings.items():
        if isinstance(value, int) and value > 2:
            assert replace(used, **{setting: value + 1}) != fresh
            assert replace(used, **{setting: value}) == fresh
