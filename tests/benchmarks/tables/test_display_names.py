"""Names in print."""

from pathlib import Path

from benchmarks.datasets.image_folder import scan
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table


def test_columns_of_figure_3_are_the_classes_as_a_folder_is_loaded(tmp_path: Path) -> None:
    """Numbers by value, without what a file manager leaves behind."""
    names = [str(number) for number in range(12)]
    for split in ("train", "test"):
        for name in (*names, ".thumbnails", "__MACOSX"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "0.png").touch()
    (table,) = expand(read_table("figure3"), Recipes("mini", f"imagefolder:{tmp_path}"), [0]).tables
    (figure,) = table.figures
    assert figure.classes == names[:10] == list(scan(tmp_path).classes[:10])
