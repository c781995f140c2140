"""Every setting of every method is described where it is declared, or in a base class."""

from dataclasses import fields
from typing import Any

import pytest

from baselines import METHODS, REFERENCES


@pytest.mark.parametrize(("name", "cls"), {**METHODS, **REFERENCES}.items(), ids=str)
def test_every_setting_is_in_a_docstring(name: str, cls: Any) -> None:
    described = " ".join(vars(base).get("__doc__") or "" for base in cls.__mro__)
    missing = [f.name for f in fields(cls) if f.init and f"``{f.name}``" not in described]
    assert not missing, f"{name}: described nowhere"
