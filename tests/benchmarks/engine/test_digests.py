"""The digest of a checkout's code."""

from pathlib import Path

from benchmarks.engine.digests import PACKAGES, code_digest


def checkout(root: Path, **files: str) -> Path:
    for package in PACKAGES:
        (root / package).mkdir(parents=True)
        (root / package / "made.py").write_text("IMAGES = 1\n")
    for name, text in files.items():
        (root / PACKAGES[-1] / name.replace("_", ".")).write_text(text)
    return root


def test_it_is_of_modules_and_recipes_wherever_they_lie(tmp_path: Path) -> None:
    one = code_digest(checkout(tmp_path / "one"))
    assert one == code_digest(checkout(tmp_path / "two", page_md="Text"))
    others = [
        code_digest(checkout(tmp_path / "edited", made_py="IMAGES = 2\n")),
        code_digest(checkout(tmp_path / "module", more_py="")),
        code_digest(checkout(tmp_path / "recipe", di_toml="batches = 1\n")),
    ]
    assert len({one, *others}) == 4
