"""Who is ahead of whom: what is said of the paper's directions, and when nothing can be."""

from collections.abc import Sequence

import pandas as pd
import pytest
from msgspec.structs import replace

from reports.claims.ledger import ledger
from reports.claims.markdown import claims_markdown
from reports.claims.orderings import DIRECTIONS, orderings
from reports.published import published
from reports.records import Cost, Provenance, Record
from reports.tables.layout import Column, Row, Table, TableCell

PLACE = "cifar10/vgg11/resnet18"
AHEAD = {"ni": (0.68, 0.69, 0.67), "di": (0.37, 0.40, 0.38)}


def record(key: str, metric: str, value: float, teacher: str) -> Record:
    return Record(
        kind="distillation",
        label=key,
        key=key,
        recipe={"width": 0.25, "image_size": 32},
        inputs={"teacher": teacher} if teacher else {},
        metrics={metric: value},
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=Provenance("c", {"torch": "2"}, "cpu", "fp32", 1, "Linux", "2026-11-22"),
        artefacts={},
    )


def measured(values: dict[str, Sequence[float]], *where: str, **named: str) -> pd.DataFrame:
    """The orderings where each method has these values by seed, in one row of a table."""
    table, records = case(values, *where, **named)
    return orderings([table], records)


def case(
    values: dict[str, Sequence[float]],
    scale: str = "small",
    dataset: str = "cifar10",
    metric: str = "test_accuracy",
    place: str = f"table5/{PLACE}",
    title: str = "Table 5",
    teachers: str = "",
) -> tuple[Table, dict[str, Record]]:
    """A table of one row, and its records; ``teachers`` has a letter for each seed's, or none."""
    records = {
        f"{m}{s}": record(f"{m}{s}", metric, v, teachers[s : s + 1])
        for m, vs in values.items()
        for s, v in enumerate(vs)
    }
    cells = {
        method: TableCell(
            [f"{method}{seed}" for seed in range(len(found))],
            f"{place}/{method.partition('-')[0]}/{metric}",
            variant=method if "-" in method else "",
        )
        for method, found in values.items()
    }
    unit = "%" if metric == "test_accuracy" else ""
    table = Table(
        id="table5",
        title=title,
        caption="",
        scale=scale,
        dataset=dataset,
        published_dataset="CIFAR-10",
        seeds=list(range(max(map(len, values.values())))),
        columns=[Column(method, method, "method", metric, unit=unit) for method in values],
        rows=[Row("r", {"Row": "r"}, cells)],
        pictures=[],
    )
    return table, records


def line(frame: pd.DataFrame, ahead: str = "ni", behind: str = "di") -> pd.Series:
    found = frame[(frame["ahead"] == ahead) & (frame["behind"] == behind)]
    (one,) = (row for _, row in found[found["n"] > 0].iterrows())
    return one


def components(method: str) -> frozenset[str]:
    """``ni[o2o+ftp]`` is {o2o, ftp}; none of another method's."""
    names = method.removeprefix("ni[").removesuffix("]")
    return frozenset({"generator": "", "all": "f1+f2+f3+f4"}.get(names, names).split("+")) - {""}


@pytest.mark.parametrize(
    ("table", "metrics", "steps"),
    [
        ("table3", {"test_accuracy", "inception_score", "fid", "precision", "recall"}, 5),
        ("table4", {"fid", "fid_early"}, 3),
    ],
)
def test_each_component_that_the_ablations_add_is_an_ordering(
    table: str, metrics: set[str], steps: int
) -> None:
    frame = orderings([], {})
    found = {
        (one["metric"], frozenset((one["ahead"], one["behind"])))
        for _, one in frame[frame["table"] == table].iterrows()
    }
    methods = {
        number.method
        for number in published().values()
        if number.table == table and number.method.startswith("ni[")
    }
    pairs = {
        frozenset((more, less))
        for more in methods
        for less in methods
        if components(less) < components(more)
        and len(components(more)) == len(components(less)) + 1
    }
    assert len(pairs) == steps
    assert {(metric, pair) for metric in metrics for pair in pairs} <= found


def test_every_table_has_its_orderings() -> None:
    """Rows by pairs of methods: Table 5 has twelve by ten."""
    counts = orderings([], {})["table"].value_counts().to_dict()
    assert counts == {"table1": 8, "table2": 12, "table3": 30, "table4": 6, "table5": 120}


def test_the_papers_ordering_holds_where_seeds_tell_the_two_apart() -> None:
    one = line(measured(AHEAD))
    assert (one["direction"], one["n"], one["scale"]) == ("holds", 3, "small")
    assert one["measured"] == pytest.approx(29.67, abs=0.01)
    assert one["published"] == pytest.approx(90.10 - 83.82)


def test_it_turns_where_the_other_is_ahead() -> None:
    one = line(measured({"ni": AHEAD["di"], "di": AHEAD["ni"]}))
    assert one["direction"] == "turns"
    assert one["measured"] < 0


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ni": (0.6, 0.5, 0.7), "di": (0.5, 0.6, 0.55)}, "p = "),
        ({"ni": (0.68, 0.69), "di": (0.37, 0.40)}, "n = 2: 3 seeds or more"),
    ],
)
def test_noise_and_few_seeds_can_not_tell(values: dict[str, Sequence[float]], why: str) -> None:
    one = line(measured(values))
    assert one["direction"] == "can't tell"
    assert why in one["reason"]


def test_the_paper_may_have_the_rival_ahead() -> None:
    """ADI's student is 90.36, NI's 90.10."""
    assert (
        line(measured({"ni": (0.6, 0.61, 0.62), "adi": (0.7, 0.72, 0.71)}), "adi", "ni")[
            "direction"
        ]
        == "holds"
    )


def test_a_lower_fid_is_ahead() -> None:
    values = {"ni": (80.0, 81.0, 79.5), "di": (120.0, 125.0, 121.0)}
    one = line(measured(values, metric="fid", place="table1/cifar10/resnet34/-"))
    assert one["direction"] == "holds"
    assert one["published"] == pytest.approx(197.33 - 76.04)
    assert one["measured"] > 0


@pytest.mark.parametrize(("scale", "dataset"), [("demo", "cifar10"), ("mini", "digits")])
def test_other_data_and_the_smallest_scale_say_nothing(scale: str, dataset: str) -> None:
    assert set(measured(AHEAD, scale, dataset)["direction"]) == {"not run"}


def test_recipes_set_by_hand_say_nothing_of_the_papers_orderings() -> None:
    table, records = case(AHEAD)
    by_hand = replace(table, overrides=["di.settings.iterations=1"])
    assert set(orderings([by_hand], records)["direction"]) == {"not run"}
    assert line(orderings([by_hand, table], records))["direction"] == "holds"


def test_many_orderings_are_corrected_for_being_many() -> None:
    """What is rare in one test is not in twenty."""
    alone = line(measured({"ni": (0.62, 0.63, 0.67), "di": (0.60, 0.59, 0.61)}))
    noise = {"dafl": (0.61, 0.65, 0.66), "dfad": (0.63, 0.62, 0.66), "adi": (0.6, 0.65, 0.66)}
    among = line(measured({"ni": (0.62, 0.63, 0.67), "di": (0.60, 0.59, 0.61)} | noise))
    assert among["p"] > alone["p"]


def test_the_ledger_counts_them_apart_from_values() -> None:
    frame = measured(AHEAD)
    text = claims_markdown(ledger([], {}, {}), frame)
    counts = frame["direction"].value_counts()
    said = ", ".join(f"{counts.get(name, 0)} {name}" for name in DIRECTIONS)
    assert f"{len(frame)} orderings: {said}." in text
    assert "| ni over di | cifar10, vgg11 → resnet18, test_accuracy | +6.28 | +29.67 (3) |" in text


def test_a_table_without_the_other_method_hides_no_ordering() -> None:
    both, alone = case(AHEAD), case({"ni": AHEAD["ni"]}, title="NI alone")
    for cases in ((both, alone), (alone, both)):
        tables = [table for table, _ in cases]
        records = {key: record for _, found in cases for key, record in found.items()}
        assert line(orderings(tables, records))["direction"] == "holds"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("place", "lead", "said"),
    [
        (PLACE, 60.0, "; measured with di-paper"),  # whose number is from DI's own paper
        ("cifar10/resnet34/vgg11", 29.67, ""),
    ],
)
def test_of_a_methods_variants_the_one_of_the_published_number_is_compared(
    place: str, lead: float, said: str, order: int
) -> None:
    values = AHEAD | {"di-paper": (0.08, 0.10, 0.06)}
    one = line(measured(dict(list(values.items())[::order]), place=f"table5/{place}"))
    assert one["measured"] == pytest.approx(lead, abs=0.01)
    assert one["reason"] == f"p = {one['p']:.2g}{said}"


def test_both_sides_may_be_variants() -> None:
    frame = measured({"adi-paper": AHEAD["ni"], "di-paper": AHEAD["di"]})
    assert line(frame, "adi", "di")["reason"].endswith("; measured with adi-paper and di-paper")


def test_among_tables_the_variant_comes_before_more_seeds() -> None:
    with_variant = case({"ni": (0.68, 0.69), "di-paper": (0.08, 0.09)}, title="Variant")
    plain = case(AHEAD)
    for cases in ((with_variant, plain), (plain, with_variant)):
        tables = [replace(table, part=table.title) for table, _ in cases]
        records = {key: record for _, found in cases for key, record in found.items()}
        assert line(orderings(tables, records))["measured"] == pytest.approx(60)


@pytest.mark.parametrize(
    ("teachers", "seeds", "said"),
    [("ttt", 3, True), ("tt", 2, True), ("ttu", 3, False), ("", 3, False), ("t", 1, False)],
)
def test_a_test_over_seeds_of_one_teacher_says_so(teachers: str, seeds: int, said: bool) -> None:
    values = {method: found[:seeds] for method, found in AHEAD.items()}
    frame = measured(values, teachers=teachers)
    assert line(frame)["reason"].endswith("; all seeds share one teacher") == said
    text = claims_markdown(ledger([], {}, {}), frame)
    assert ("; all seeds share one teacher |" in text) == said


def test_ahead_is_the_higher_number_but_of_distances_the_lower() -> None:
    values = {
        (n.table, n.dataset, n.teacher, n.student, n.metric, n.method): n.value
        for n in published().values()
        if n.note != "repeats"
    }
    seen = set()
    for _, one in orderings([], {}).iterrows():
        of = tuple(one[["table", "dataset", "teacher", "student", "metric"]])
        ahead, behind = values[(*of, one["ahead"])], values[(*of, one["behind"])]
        assert one["published"] == pytest.approx(abs(ahead - behind))
        if ahead != behind:
            assert (ahead < behind) == one["metric"].startswith("fid"), of
            seen.add(one["metric"])
    assert {"fid", "fid_early", "inception_score", "test_accuracy"} <= seen
