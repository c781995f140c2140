"""What a second worker is worth: the rate while all are at work, and the table."""

from pathlib import Path

import pytest

from benchmarks.perf.scaling import Sizes, images_per_second, rate_while_all_work, table


def test_only_the_time_in_which_all_work_counts() -> None:
    """One worker begins four seconds late and one ends early; both make a batch a second."""
    early, late = [1.0, 2, 3, 4, 5, 6, 7, 8], [5.0, 6, 7, 8, 9, 10, 11]
    assert rate_while_all_work([early]) == pytest.approx(1)
    assert rate_while_all_work([early, late]) == pytest.approx(2)
    with pytest.raises(ValueError, match="not at work at the same time"):
        rate_while_all_work([[1.0, 2], [3.0, 4]])


def test_one_worker_makes_images(tmp_path: Path) -> None:
    sizes = Sizes(batches=3, iterations=1)
    assert 1 < images_per_second(sizes, 1, None, tmp_path) < 1e6


def test_the_table_has_medians_and_the_spread_of_ratios() -> None:
    found = {"processes": {"1": [10.0, 10, 20], "2": [17.0, 20, 30]}}
    line = table(found).splitlines()[1].split()
    assert line[:3] == ["processes", "10.0", "20.0"]
    assert " ".join(line[3:]) == "1.70 (1.50 to 2.00)"
