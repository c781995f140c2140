"""Accepted numbers are of some data: another folder of that name has none."""

from pathlib import Path

import msgspec
import pytest

from reports.regression.accepted import RefusedError, accepted_from
from reports.regression.accepted_file import (
    FOLDER,
    path_of,
    read,
    refuse_shared_files,
    with_other_rows,
)
from reports.regression.check import compare
from tests.reports.regression.test_check import H100, Case, case, verdicts
from tests.reports.regression.test_made_on import made

replace = msgspec.structs.replace
PETS, OTHERS = "imagefolder:/a/pets", "imagefolder:/b/pets"
SAME = {"student": "same", "fid": "same"}


def of(dataset: str, fingerprint: str = "") -> Case:
    """Numbers of a data set; records may state which images these are."""
    table, records = case()
    stated = {"data_fingerprint": fingerprint} if fingerprint else {}
    found = {key: replace(one, metrics=one.metrics | stated) for key, one in records.items()}
    return replace(table, dataset=dataset), found


def test_numbers_say_of_which_data_they_are() -> None:
    for number in accepted_from(*of(PETS, "abc")):
        assert (number.dataset, number.data_fingerprint) == (PETS, "abc")
    assert {number.data_fingerprint for number in accepted_from(*of(PETS))} == {""}


@pytest.mark.parametrize(
    ("accepted", "here"),
    [((PETS, ""), (OTHERS, "")), ((PETS, ""), (OTHERS, "abc")), ((PETS, "abc"), (PETS, "def"))],
)
def test_other_data_are_not_compared(accepted: tuple[str, str], here: tuple[str, str]) -> None:
    with pytest.raises(RefusedError, match=f"accepted numbers are of other data .{PETS}."):
        compare(*of(*here), accepted_from(*of(*accepted)))


@pytest.mark.parametrize("here", [(PETS, ""), (PETS, "abc"), (OTHERS, "abc")])
def test_the_same_images_may_lie_elsewhere(here: tuple[str, str]) -> None:
    assert verdicts(compare(*of(*here), accepted_from(*of(PETS, "abc")))) == SAME


def test_a_file_of_other_data_is_not_replaced() -> None:
    path = path_of(of(PETS)[0])
    assert path == path_of(of(OTHERS)[0])
    before, after = accepted_from(*of(PETS)), accepted_from(*of(OTHERS))
    with pytest.raises(RefusedError, match=r"pets.csv: has accepted numbers of other data"):
        with_other_rows(path, before, after, rows_alone=False)
    assert with_other_rows(path, before, before, rows_alone=False) == before


def test_rows_of_another_device_are_not_put_beside_those_there() -> None:
    table, records = case()
    moved = accepted_from(table, {key: made(one, device=H100) for key, one in records.items()})
    other_row = [replace(number, row="di") for number in moved]
    before = accepted_from(table, records)
    with pytest.raises(RefusedError, match="several devices"):
        with_other_rows(Path("a.csv"), before, other_row, rows_alone=True)
    assert with_other_rows(Path("a.csv"), before, other_row, rows_alone=False) == other_row


def test_two_tables_of_one_file_are_refused() -> None:
    one, other = of(PETS)[0], of(OTHERS)[0]
    refuse_shared_files([one, of("digits")[0]], FOLDER)
    with pytest.raises(RefusedError, match=f"pets.csv: would be of accuracy-demo-{PETS} and of"):
        refuse_shared_files([one, other], FOLDER)


def test_what_is_accepted_in_the_repository_can_be_read() -> None:
    paths = sorted(FOLDER.glob("*.csv"))
    assert paths
    for path in paths:
        assert {number.dataset for number in read(path)} == {path.stem.rpartition("-")[2]}
