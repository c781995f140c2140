"""What a budget buys: lines with bands against seconds of synthesis and numbers of images."""

from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.records import Cost, Provenance, Record
from reports.tables.layout import Row, Table, TableCell
from tests.reports.figures.figure_cases import drawn, figure, legend, rendered
from tests.reports.makers import make_column, make_record, make_table

SEEDS = range(2)
COUNTS = {"DI": (250, 500, 1000), "DAFL": (3000,), "Real images": (250, 1000)}
TEN_BATCHES = 1000.0  # seconds


def table(x: str) -> Table:
    rows = [
        Row(
            f"{name}{count}",
            {"Method": name, "Images": f"{count:,}"},
            {"c": TableCell([f"{name}{count}-{seed}" for seed in SEEDS])},
            role="baseline" if name == "Real images" else "method",
            x=count,
        )
        for name, counts in COUNTS.items()
        for count in counts
    ]
    spec = figure("budget", x=x, panels={"c": ""}, x_label=x, y_label="accuracy")
    columns = [make_column("c", role="baseline", method="")]
    return make_table(rows[0].cells, rows=rows, columns=columns, figures=[spec])


def records(**provenance: Any) -> dict[str, Record]:
    """Accuracy is 0.5 and a tenth per thousand images, 0.02 more with the second seed; DI's ten
    batches of a hundred took `TEN_BATCHES` seconds, half as many more with the second seed.
    """
    found = {}
    for seed in SEEDS:
        took = TEN_BATCHES * (1 + seed / 2)
        for name, student in (("DI", ""), ("DAFL", "resnet18")):
            found[f"{name}-{seed}"] = make_record(
                f"{name}-{seed}",
                recipe={"batches": 10, "student": student},
                metrics={"images": 1000},
                cost=Cost(took, took, 1000, 1.0),
            )
        for name, counts in COUNTS.items():
            for count in counts:
                key, joint = f"{name}{count}-{seed}", name == "DAFL"
                parts = [] if name == "Real images" else [-(-count // 100)]
                inputs = {} if not parts else {"images" if joint else "images0": f"{name}-{seed}"}
                found[key] = make_record(
                    key,
                    0.5 + count / 10_000 + 0.02 * seed,
                    kind="joint_student" if joint else "distillation",
                    recipe={} if joint else {"images": {"batches": parts, "count": count}},
                    inputs=inputs,
                )
    return found


def lines(found: Figure) -> dict[str, Line2D]:
    """Lines and points by their colour's method: x with more than two points is DI's."""
    return {f"{len(line.get_xdata())}": line for line in found.axes[0].get_lines()}  # type: ignore[arg-type]


def test_against_seconds_each_point_lies_at_what_its_batches_took() -> None:
    found = drawn(table("seconds"), records())
    line = lines(found)["3"]
    assert np.allclose(line.get_xdata(), np.array([3, 5, 10]) * 125.0)  # means of 100 and 150
    assert np.allclose(line.get_ydata(), [53.5, 56, 61])
    (joint,) = found.axes[0].containers
    assert np.allclose(joint.lines[0].get_xdata(), [1250.0])  # type: ignore[attr-defined]
    assert np.allclose(joint.lines[0].get_ydata(), [81.0])  # type: ignore[attr-defined]
    assert legend(found) == ["DI", "DAFL", "Real images"]
    assert found.axes[0].get_xscale() == "log"


def test_the_band_reaches_from_the_least_to_the_greatest_seed() -> None:
    found = drawn(table("seconds"), records())
    (band,) = [c for c in found.axes[0].collections if isinstance(c, PolyCollection)]
    heights = band.get_paths()[0].vertices[:, 1]  # type: ignore[index]
    assert heights.min() == pytest.approx(52.5)
    assert heights.max() == pytest.approx(62.0)
    about = found.legends[0].get_title().get_text()
    assert about == "means of 2 runs, bands or bars: least to greatest"
    images = drawn(table("images"), records()).legends[0].get_title().get_text()
    assert images == "means of 2 runs, bands: least to greatest"


def test_points_at_one_x_have_bars() -> None:
    """Images of a shared generator cost the whole run, however few of them are read."""
    found = records()
    for seed in SEEDS:
        made = found[f"DI-{seed}"]
        shared = make_record(made.key, metrics={"images": 1000, "prepare_steps": 9}, cost=made.cost)
        found[made.key] = msgspec.structs.replace(shared, recipe={"batches": 10})
    figure = drawn(table("seconds"), found)
    assert not [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)]
    bars = [bar for bar in figure.axes[0].containers if isinstance(bar, ErrorbarContainer)]
    ranges = {len(bar.lines[0].get_xdata()): bar.lines[2][0].get_segments() for bar in bars}
    assert sorted(ranges) == [1, 3]
    ends = [[low[1], high[1]] for low, high in ranges[3]]
    assert np.allclose(ends, [[52.5, 54.5], [55, 57], [60, 62]])
    about = figure.legends[0].get_title().get_text()
    assert about == "means of 2 runs, bars: least to greatest"


def test_real_images_are_a_level_of_all_of_them_against_seconds() -> None:
    found = drawn(table("seconds"), records())
    levels = [line for line in found.axes[0].get_lines() if list(line.get_xdata()) == [0, 1]]
    assert [float(np.mean(level.get_ydata())) for level in levels] == [pytest.approx(61.0)]


def test_against_images_real_ones_are_a_line_and_joint_methods_are_left_out() -> None:
    found = drawn(table("images"), records())
    shown = [np.asarray(line.get_xdata()).tolist() for line in found.axes[0].get_lines()]
    assert shown == [[250, 500, 1000], [250, 1000]]
    assert legend(found) == ["DI", "Real images"]
    ticks = [label.get_text() for label in found.axes[0].get_xticklabels()]
    assert ticks == ["250", "500", "1,000"]


def test_what_was_not_run_is_said() -> None:
    some = {k: r for k, r in records().items() if not k.startswith(("DAFL", "Real"))}
    assert legend(drawn(table("seconds"), some)) == [
        "DI",
        "DAFL (not run)",
        "Real images (not run)",
    ]
    assert rendered(table("seconds"), {}).reason == "not run: DI, DAFL, Real images"


def test_seconds_of_two_machines_share_no_axis() -> None:
    found = records()
    other: Provenance = found["DI-1"].provenance
    found["DI-1"] = make_record(
        "DI-1",
        recipe=found["DI-1"].recipe,
        metrics={"images": 1000},
        cost=found["DI-1"].cost,
        provenance=Provenance("c", {}, "cpu", "fp32", 8, "Linux", "now", "another CPU"),
    )
    assert other.threads == 2
    assert "seconds of several machines share no axis" in rendered(table("seconds"), found).reason
    assert not rendered(table("images"), found).reason
