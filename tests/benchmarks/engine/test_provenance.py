"""Which code a record says it was made by."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.engine import provenance
from benchmarks.engine.machine import Machine
from benchmarks.engine.provenance import provenance_here


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in a folder of its own, as if it were the one that asks for the commit."""
    path = tmp_path / "checkout" / "package" / "provenance.py"
    path.parent.mkdir(parents=True)
    path.write_text("one = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(path))
    return path


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *named, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit() -> str:
    """What a cell that begins now would say, in a process that has not asked before."""
    provenance.commit_here.cache_clear()
    try:
        return provenance_here(Machine(device="cpu")).commit
    finally:
        provenance.commit_here.cache_clear()


def test_a_commit_has_a_plus_where_a_file_differs_from_it(code: Path) -> None:
    git(code.parents[1], "init", "--quiet", "--template=")
    git(code.parent, "add", code.name)
    git(code.parent, "commit", "--quiet", "--message", "one")
    clean = git(code.parent, "rev-parse", "HEAD")
    assert commit() == clean
    (code.parent / "notes.txt").touch()
    assert commit() == clean, "such a file that git doesn't know changes no result"
    added = code.parents[1] / "baselines" / "deep" / "other.py"
    added.parent.mkdir(parents=True)
    added.touch()
    assert commit() == f"{clean}+", "but a module that may have made a number does"
    added.unlink()
    assert commit() == clean
    code.write_text("one = 2\n")
    assert commit() == f"{clean}+"
    git(code.parent, "add", code.name)
    assert commit() == f"{clean}+", "staged is not committed"


def test_code_outside_a_checkout_has_no_commit(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(code.parents[1]))
    assert commit() == ""


def test_installed_inside_somebody_elses_repository_it_has_no_commit(code: Path) -> None:
    """A virtual environment in a project's folder, which that project ignores."""
    project = code.parents[1]
    (project / ".gitignore").write_text("package/\n")
    git(project, "init", "--quiet", "--template=")
    git(project, "add", ".gitignore")
    git(project, "commit", "--quiet", "--message", "one")
    assert commit() == ""
