"""The file of accepted numbers: it comes back as it was written, or is refused."""

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace

from reports.records import RecordError
from reports.regression.accepted import accepted_from
from reports.regression.accepted_file import changes, path_of, read, write
from tests.reports.regression.test_check import case


def test_accepted_numbers_come_back_as_they_were_written(tmp_path: Path) -> None:
    table, records = case()
    path = path_of(table, tmp_path)
    assert path.name == "accuracy-demo-digits.csv"
    write(path, accepted_from(table, records))
    fid, student = read(path)
    assert path.read_text().splitlines()[0] == (
        "row,column,metric,unit,mean,sd,n,values,seeds,device,precision,versions,commit,"
        "records,again,dataset,data_fingerprint,machine,again_seeds,again_on"
    )
    assert (student.column, student.unit, student.n) == ("student", "%", 5)
    assert (student.mean, student.sd) == pytest.approx((92.0, 2.5**0.5))
    assert student.values == pytest.approx((90, 91, 92, 93, 94))
    assert student.seeds == (0, 1, 2, 3, 4)
    assert student.records == tuple(f"test_accuracy{seed}" for seed in range(5))
    assert (student.device, student.precision) == ("cpu", "fp32")
    assert (student.versions, student.commit) == ("torch=2.11", "abc")
    assert fid.mean == 42.0
    again = tmp_path / "again.csv"
    write(again, [student, fid])
    assert again.read_bytes() == path.read_bytes()


def test_a_file_of_before_the_machine_was_kept_is_read(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    write(path, accepted_from(*case()))
    lines = list(csv.reader(path.read_text().splitlines()))
    count = lines[0].index("machine")
    path.write_text("\n".join(",".join(line[:count]) for line in lines) + "\n")
    assert {number.machine for number in read(path)} == {""}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("92,1.58", "93,1.58", "the mean is 93, its values give 92"),
        ("92,1.58", "92,0.58", "the sd is"),
        (",5,90 ", ",4,90 ", "not a value, a seed and a record"),
        (",5,90 ", ",many,90 ", "no accepted numbers"),
        ("0 1 2 3 4", "0 0 1 2 3 4", "not a value, a seed and a record"),
        ("values", "numbers", "no accepted numbers"),
        (",5,90 ", ",5,nan ", "a value is not finite"),
    ],
)
def test_a_retouched_file_is_refused_in_one_line(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    write(path, accepted_from(*case()))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(RecordError) as caught:
        read(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_of_no_seed_is_refused(tmp_path: Path) -> None:
    none = replace(accepted_from(*case())[0], n=0, sd=0.0, values=(), seeds=(), records=())
    write(tmp_path / "a.csv", [none])
    with pytest.raises(RecordError, match="a seed and a record for each n, one or more"):
        read(tmp_path / "a.csv")


def test_what_a_new_file_changes_is_said() -> None:
    before = accepted_from(*case())
    assert list(changes(before, before)) == []
    other = accepted_from(*case([0.8, 0.81, 0.82]))
    assert list(changes(before, other)) == [
        "ni student: 92 ± 1.6 (n = 5, cpu) -> 81 ± 1 (n = 3, cpu)"
    ]
    assert list(changes(before[:1], before[1:])) == [
        "ni fid: new, 42 ± 1.6 (n = 5, cpu)",
        "ni student: gone, was 92 ± 1.6 (n = 5, cpu)",
    ]


@pytest.mark.parametrize(
    ("again", "seeds", "places"),
    [
        ((90.1,), (), ""),
        ((90.1,), (0,), ""),
        ((90.1,), (7,), "cpu in bf16"),
        ((90.1, 91.2), (0, 0), "cpu in bf16; cpu in bf16"),
        ((), (), "cpu in bf16"),
    ],
)
def test_second_values_without_their_seeds_and_places_are_refused(
    again: tuple[float, ...], seeds: tuple[int, ...], places: str, tmp_path: Path
) -> None:
    student, fid = accepted_from(*case())
    retouched = replace(student, again=again, again_seeds=seeds, again_on=places)
    write(tmp_path / "numbers.csv", [retouched, fid])
    with pytest.raises(RecordError, match=r"student: not a second value and its place for each"):
        read(tmp_path / "numbers.csv")


def test_second_values_come_back_with_their_places(tmp_path: Path) -> None:
    student, fid = accepted_from(*case())
    twice = replace(
        student, again=(90.1, 92.5), again_seeds=(0, 2), again_on="cpu in bf16; NVIDIA H200 in bf16"
    )
    write(tmp_path / "numbers.csv", [twice, fid])
    _, found = read(tmp_path / "numbers.csv")
    assert (found.again, found.again_seeds) == (twice.again, twice.again_seeds)
    assert found.again_places == ("cpu in bf16", "NVIDIA H200 in bf16")
    (line,) = changes([student, fid], [twice, fid])
    assert line.endswith("(n = 5, cpu, 2 of them again)")
