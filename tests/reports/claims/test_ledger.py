"""The ledger of published numbers: what matches, what can be compared, and what is said of it."""

from collections.abc import Sequence

import msgspec
import pandas as pd
import pytest

from reports.claims.ledger import ledger
from reports.claims.markdown import claims_markdown
from reports.published import published
from reports.tables.layout import Column, Row, Table, TableCell
from tests.reports.claims.ledger_makers import (
    COLUMNS,
    FID,
    NI,
    NO_ORDERINGS,
    PAPER,
    PRECISION,
    TEACHER,
    frame_of,
    line_of,
    record,
    students,
    table,
)


def test_every_published_number_has_its_row_and_its_note() -> None:
    frame = ledger([], {}, {})
    assert list(frame.columns) == COLUMNS.split()
    assert list(frame["id"]) == list(published())
    assert set(frame["verdict"]) == {"not run"}
    assert frame["measured"].isna().all()
    notes = dict(zip(frame["id"], frame["note"], strict=True))
    assert "collapsed" in notes["table2/cifar100/vgg16/resnet18/dafl/train_accuracy"]
    assert notes[NI] == ""


def test_settings_of_the_text_are_held_against_the_recipe() -> None:
    given = {"scratch_batch": 128.0, "scratch_epochs": 150.0, "pruning_ratio_max": 0.95}
    frame = ledger([], {}, {f"text/-/-/-/protocol/{k}": v for k, v in given.items()})
    found = frame[frame["verdict"] != "not run"].set_index("metric")
    assert dict(found["verdict"]) == {
        "scratch_batch": "set as published",
        "scratch_epochs": "set otherwise",
        "pruning_ratio_max": "set otherwise",
    }
    assert list(found["difference"]) == pytest.approx([0, -50, 0.05])
    assert set(found["measured_on"]) == {"recipe"}
    assert set(found["scale"]) == {"paper"}
    assert set(found["reason"]) == {"the recipe of scale paper"}


@pytest.mark.parametrize(
    ("accuracies", "verdict", "reason"),
    [
        ([0.9372], "can't tell", "our noise is not known with n = 1"),
        ([0.93, 0.93], "can't tell", "our noise is not known with n = 2"),
        ([0.936, 0.937, 0.938], "agrees within noise", "within 0.5, as far as 95 % of single runs"),
        ([0.72, 0.80, 0.88], "can't tell", "noise leaves ±40, as far as 95 % of single runs"),
        ([0.9301, 0.9300, 0.9302], "lower", "more than 0.05, as far as 95 % of single runs"),
        ([0.9401, 0.9400, 0.9402], "higher", "more than 0.05, as far as 95 % of single runs"),
    ],
)
def test_alike_numbers_are_judged_by_noise(
    accuracies: list[float], verdict: str, reason: str
) -> None:
    line = line_of(NI, *accuracies)
    assert line["verdict"] == verdict
    assert line["reason"].startswith(reason)
    assert line["n"] == len(accuracies)
    assert line["measured"] == pytest.approx(100 * sum(accuracies) / len(accuracies))
    assert line["difference"] == pytest.approx(line["measured"] - 93.72)
    assert line["records"].split() == [f"a{seed}" for seed in range(len(accuracies))]


@pytest.mark.parametrize(
    ("fid", "verdict", "how"),
    [(76.7, "agrees within noise", "within"), (75.3, "lower", "more than")],
)
def test_the_papers_own_noise_counts(fid: float, verdict: str, how: str) -> None:
    alike = {"evaluated": 50_000, "extractor": "inception-v3-compat@6726825d"}
    found = [record(f"f{k}", {"fid": fid + 0.05 * k, **alike}) for k in (-1, 0, 1)]
    line = frame_of((table(FID, found), found)).loc[FID]
    assert line["verdict"] == verdict
    assert line["reason"] == f"{how} 0.7, as far as two of the paper's own runs lie apart"


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        (FID, (66.04, 76.04, 86.04), "can't tell"),  # allows 50, and up to 7.6 says something
        (FID, (75.04, 76.04, 77.04), "agrees within noise"),  # allows 5.0
        (PRECISION, (0.5, 0.67, 0.84), "can't tell"),  # allows 0.84, and up to 0.068 says something
        (PRECISION, (0.67, 0.68, 0.69), "agrees within noise"),  # allows 0.050
    ],
)
def test_noise_of_what_is_no_percentage_is_held_against_a_tenth_of_the_number(
    claim: str, values: tuple[float, ...], verdict: str
) -> None:
    alike = {"evaluated": 50_000, "extractor": "inception-v3-compat@6726825d"}
    metric = published()[claim].metric
    found = [record(f"f{k}", {metric: value, **alike}) for k, value in enumerate(values)]
    assert frame_of((table(claim, found), found)).loc[claim]["verdict"] == verdict


@pytest.mark.parametrize("fid", [76.1, 77.1])
def test_one_run_can_not_tell_however_far_the_papers_lie_apart(fid: float) -> None:
    """A difference of two runs of the paper is one draw of what ours may differ by."""
    alike = {"evaluated": 50_000, "extractor": "inception-v3-compat@6726825d"}
    found = [record("f", {"fid": fid, **alike})]
    line = frame_of((table(FID, found), found)).loc[FID]
    assert (line["verdict"], line["n"]) == ("can't tell", 1)


@pytest.mark.parametrize(
    ("pixels", "kind", "verdict"),
    [
        ("minmax", "synthesis", "agrees within noise"),
        ("denormalize", "synthesis", "not comparable"),
        ("own", "wgan_gp", "agrees within noise"),
    ],
)
def test_the_published_number_is_of_images_as_the_released_code_saves_them(
    pixels: str, kind: str, verdict: str
) -> None:
    images = msgspec.structs.replace(record("i", {"images": 50_000}), kind=kind)
    metrics = {"fid": 76.1, "evaluated": 50_000, "pixels": pixels}
    metrics["extractor"] = "inception-v3-torchvision@0cc3c7bd"
    found = [record(f"f{seed}", metrics, inputs={"images0": "i"}) for seed in range(3)]
    line = frame_of((table(FID, found), found), others=[images]).loc[FID]
    assert line["verdict"] == verdict
    assert ("not stretched as the released code saves them" in line["reason"]) == (
        verdict == "not comparable"
    )


def test_every_difference_is_listed() -> None:
    teacher = record("t", {"test_accuracy": 0.9}, {"width": 0.125, "image_size": 16})
    images = record("i", {"images": 300}, {"width": 0.0}, {"teacher": "t"})
    metrics = {"fid": 9.0, "evaluated": 300, "extractor": "efficientnet-lite0@01234567"}
    found = [record("f", metrics, {"image_size": 16}, {"images0": "i"})]
    made = table(FID, found, "demo", "digits"), found
    line = frame_of(made, others=[teacher, images]).loc[FID]
    assert line["verdict"] == "not comparable"
    for part in (
        "digits, not cifar10",
        "scale demo",
        "networks of width 0.125",
        "images of 16x16 pixels",
        "300 synthetic images, not 50,000",
        "efficientnet-lite0, not Inception",
    ):
        assert part in line["reason"]
    assert pd.isna(line["difference"]), "other data: a difference would say nothing"
    assert line["measured"] == 9.0


@pytest.mark.parametrize(
    ("count", "said"),
    [
        ("train_images", "teachers of 900 real images, not 50,000"),
        ("test_images", "tested on 900 real images, not 10,000"),
    ],
)
def test_half_copied_data_are_no_match(count: str, said: str) -> None:
    recipe = PAPER | {"dataset": "cifar10"}
    teacher = record("t", {"test_accuracy": 0.9557, count: 900}, recipe)
    line = frame_of((table(TEACHER, [teacher]), [teacher])).loc[TEACHER]
    assert (line["verdict"], line["reason"]) == ("not comparable", said)


def test_a_shorter_run_on_the_same_data_shows_its_difference_and_no_verdict() -> None:
    line = line_of(NI, 0.9, scale="mini")
    assert (line["verdict"], line["measured_on"]) == ("not comparable", "cifar10")
    assert line["reason"] == "the shorter trainings of scale mini"
    assert line["difference"] == pytest.approx(-3.72)


def test_settings_of_ones_own_are_no_match() -> None:
    text = "ni.settings.iterations=50"
    found = students(0.93)
    changed = msgspec.structs.replace(table(NI, found), overrides=[text])
    line = frame_of((changed, found)).loc[NI]
    assert (line["verdict"], line["reason"]) == ("not comparable", f"{text} set by hand")


def test_fewer_images_than_published_are_no_match() -> None:
    found = [record("a", {"test_accuracy": 0.93, "synthetic_images": 50_000})]
    line = frame_of((table(NI, found), found)).loc[NI]
    assert line["reason"] == "50,000 synthetic images, not 256,000"
    unknown = [record("a", {"test_accuracy": 0.93})]
    line = frame_of((table(NI, unknown), unknown)).loc[NI]
    assert (line["verdict"], "not in the records" in line["reason"]) == ("not comparable", True)


def test_images_of_a_joint_student_are_counted_where_they_lie() -> None:
    images = record("i", {"images": 256_000})
    found = [record("a", {"test_accuracy": 0.94}, {"image_size": 32}, {"images": "i"})]
    assert frame_of((table(NI, found), found), others=[images]).loc[NI]["verdict"] != (
        "not comparable"
    )


def test_a_teacher_needs_no_images() -> None:
    found = [record(f"t{k}", {"test_accuracy": 0.955 + k / 1000}) for k in range(3)]
    line = frame_of((table(TEACHER, found), found)).loc[TEACHER]
    assert line["verdict"] == "agrees within noise"


def test_a_view_without_records_leaves_the_number_not_run() -> None:
    assert frame_of((table(NI, students(0.9)), [])).loc[NI]["verdict"] == "not run"


def test_the_text_repeats_table_3() -> None:
    of = "cifar100/resnet34/resnet18/ni[o2o+ftp+acs]/test_accuracy"
    metrics = {"test_accuracy": 0.6057, "synthetic_images": 50_000}
    found = [record(f"a{seed}", metrics) for seed in range(3)]
    frame = frame_of((table(f"table3/{of}", found, "paper", "cifar100"), found))
    for claim in (f"table3/{of}", f"text/{of}"):
        assert frame.loc[claim]["verdict"] == "agrees within noise"
        assert frame.loc[claim]["records"] == "a0 a1 a2"


@pytest.mark.parametrize("teacher", ["resnet34", "vgg11"])
def test_the_gain_of_pruning_is_over_the_best_other_method_and_judges_nothing(teacher: str) -> None:
    accuracies = {"unpruned": [0.95, 0.95], "dafl": [0.5, 0.6], "di": [0.7, 0.6], "ni": [0.8, 0.9]}
    found = {
        (column, seed): record(f"{column}{seed}", {"test_accuracy": value})
        for column, values in accuracies.items()
        for seed, value in enumerate(values)
    }
    of = f"figure6/digits/{teacher}/-/{{}}/pruned_accuracy_at_0.9"
    cells = {name: TableCell([f"{name}0", f"{name}1"], of.format(name)) for name in accuracies}
    pruned = Table(
        id="figure6",
        title="",
        caption="",
        scale="demo",
        dataset="digits",
        published_dataset="CIFAR-10",
        seeds=[0, 1],
        columns=[
            Column(
                name,
                name.upper(),
                "baseline" if name == "unpruned" else "method",
                "test_accuracy",
                unit="%",
            )
            for name in accuracies
        ],
        rows=[Row("0.8", {"Ratio": "80%"}, {}), Row("0.9", {"Ratio": "90%"}, cells)],
        pictures=[],
    )
    frame = ledger([pruned], {r.key: r for r in found.values()}, {}).set_index("id")
    line = frame.loc["figure6/-/resnet34/-/ni/pruning_gain_at_0.9"]
    if teacher != "resnet34":
        assert line["verdict"] == "not run", "the paper's is another teacher's"
        return
    assert line["measured"] == pytest.approx(20.0)  # 10 and 30 points over DI
    assert line["n"] == 2
    assert line["verdict"] == "not comparable"
    assert "names neither" in line["reason"]
    assert "over DI" in line["reason"]
    assert line["records"].split() == ["ni0", "ni1", "di0", "di1"]


def test_settings_are_counted_apart_from_what_was_measured() -> None:
    """256,000 images in a recipe are no result that agrees."""
    settings = {n.id: n.value for n in published().values() if n.method == "protocol"}
    text = claims_markdown(ledger([], {}, settings), NO_ORDERINGS)
    assert "| all | 0 | 0 | 0 | 0 | 0 | 179 |" in text
    assert "179 are results" in text
    assert "11 are settings" in text
    assert ": 11 set as published.\n" in text
    changed = claims_markdown(ledger([], {}, settings | {next(iter(settings)): 1.0}), NO_ORDERINGS)
    assert ": 10 set as published, 1 set otherwise.\n" in changed
    assert "| all | 0 | 0 | 0 | 0 | 0 | 179 |" in changed


def test_the_page_counts_first_and_explains_its_notes_once() -> None:
    found = students(0.936, 0.937, 0.938)
    text = claims_markdown(ledger([table(NI, found)], {r.key: r for r in found}, {}), NO_ORDERINGS)
    assert "| table5 | 1 | 0 | 0 | 0 | 0 | 95 |" in text
    assert "| all | 1 | 0 | 0 | 0 | 0 | 178 |" in text
    assert "| cifar10, resnet34 → resnet18, ni, test accuracy | 93.72 | 93.70 ± 0.10 (3) |" in text
    assert text.index("| all |") < text.index("## table1")
    assert text.count("Copied from the DFAD paper") == 1


@pytest.mark.parametrize(
    ("teachers", "accuracies", "said"),
    [
        ("ttt", (0.936, 0.937, 0.938), True),
        ("ttu", (0.936, 0.937, 0.938), False),
        ("t", (0.936,), False),
    ],
)
@pytest.mark.parametrize("scale", ["paper", "mini"])
def test_seeds_of_one_teacher_are_said_to_be(
    teachers: str, accuracies: Sequence[float], said: bool, scale: str
) -> None:
    found = [
        msgspec.structs.replace(one, inputs={"teacher": teacher})
        for one, teacher in zip(students(*accuracies), teachers, strict=True)
    ]
    frame = frame_of((table(NI, found, scale), found))
    assert frame.loc[NI]["reason"].endswith("; all seeds share one teacher") == said
    text = claims_markdown(frame.reset_index(), NO_ORDERINGS)
    assert ("; all seeds share one teacher |" in text) == said
