"""What an architecture lacks is said while a table is planned, before a cell is made."""

from typing import Any

import pytest

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError


def planned(name: str, teacher: str, sets: tuple[str, ...] = (), **more: Any) -> PlannedTable:
    return expand(read_table(name), Recipes("demo", "digits", sets), [0], teacher=teacher, **more)


@pytest.mark.parametrize(
    ("name", "teacher", "sets", "says"),
    [
        (
            "figure4",
            "wrn16_2",
            (),
            "figure4, row block4: teacher wrn16_2 has block1, block2, block3, embedding, no block4",
        ),
        (
            "figure4",
            "resnet34",
            ("protocol.embedding.perplexity=400",),
            "figure4, row block1: 300 images of each of 3 sets are too few for 50 components, "
            "perplexity 400 and 10 neighbours: 401 or more",
        ),
        (
            "figure6",
            "mobilenetv2",
            (),
            "figure6, row 0.5: teacher mobilenetv2: layers 'block' prunes residual blocks and the "
            "network has none (--set protocol.pruning.layers=all)",
        ),
        (
            "figure6",
            "resnet18",
            ("protocol.pruning.layers=liu",),
            "figure6, row 0.5: teacher resnet18: layers 'liu' is for ResNet-34, not for 8 residual "
            "blocks (--set protocol.pruning.layers=all)",
        ),
        (
            "table4",
            "wrn40_2",
            (),
            "table4, row ni[f4]: pyramid_stages is [4], teacher wrn40_2 has 1 to 3",
        ),
    ],
)
def test_what_an_architecture_lacks_is_one_line(
    name: str, teacher: str, sets: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        planned(name, teacher, sets)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("name", "teacher", "sets", "rows"),
    [
        ("figure4", "wrn16_2", (), ["block1", "block3", "embedding"]),
        ("figure6", "mobilenetv2", ("protocol.pruning.layers=all",), ["0.5"]),
        ("figure6", "wrn16_2", (), ["0.5"]),
        ("table4", "wrn40_2", (), ["ni[all]"]),
        ("table4", "wrn40_2", ("ni.settings.pyramid=false",), ["ni[f4]"]),
    ],
)
def test_the_rest_of_the_table_can_be_planned(
    name: str, teacher: str, sets: tuple[str, ...], rows: list[str]
) -> None:
    (one,) = planned(name, teacher, sets, rows=rows).tables
    assert [row.id for row in one.rows] == rows
