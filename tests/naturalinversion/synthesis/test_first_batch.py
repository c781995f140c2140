"""A folder whose batches do not begin with number 0: many batches shared out over folders."""

from collections.abc import Callable
from pathlib import Path

from baselines.noise import Noise
from naturalinversion import SyntheticDataset, Teacher, synthesize
from naturalinversion.image_store.shards import shard_path

MakeTeacher = Callable[..., Teacher]
UNEVEN = 7  # images of four classes: three classes have a second one, drawn for each batch


def part(teacher: Teacher, folder: Path, first: int, batches: int) -> SyntheticDataset:
    return synthesize(Noise(), teacher, folder, batches=batches, batch_size=UNEVEN, first=first)


def test_a_part_of_the_batches_is_what_the_whole_run_has_under_their_numbers(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    whole, last = (part(teacher, tmp_path / str(first), first, 4 - first) for first in (0, 2))
    expected = [shard_path(whole.folder, number).read_bytes() for number in (2, 3)]
    assert [shard_path(last.folder, number).read_bytes() for number in (2, 3)] == expected
    assert last.meta.agreed == whole.meta.agreed[2:]
    labels = [found.sort().values.tolist() for _, found in whole.shards()]
    assert labels[:2] != labels[2:], "else labels of other numbers would not be noticed"
    shard_path(last.folder, 3).unlink()
    again = part(teacher, last.folder, 2, 2)
    assert [shard_path(again.folder, number).read_bytes() for number in (2, 3)] == expected
    assert again.meta.agreed == whole.meta.agreed[2:]
