"""Processes that tests begin find what the tests do."""

import os

import pytest

from tests.processes import ROOT, environment


@pytest.mark.parametrize("before", [[], ["packages"], ["packages", "more"]])
def test_packages_on_the_path_stay_there(
    before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(before))
    found = environment(OMP_NUM_THREADS="3")
    assert found["PYTHONPATH"].split(os.pathsep) == [str(ROOT), *before]
    assert found["OMP_NUM_THREADS"] == "3"
