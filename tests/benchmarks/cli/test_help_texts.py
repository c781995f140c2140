"""What --help says: every option has a text, in lines of the terminal's width."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import get_args

import pytest

from benchmarks.cli.help_texts import HELP, join_lines
from benchmarks.cli.main import Command
from tests.benchmarks.command_line import here

COMMANDS = [get_args(one) for one in get_args(Command)]


@dataclass(frozen=True)
class Inner:
    """Options."""

    one: int = 1
    """of a first line
    (and a second one)"""


@dataclass(frozen=True)
class Outer(Inner):
    """Options, and more of them."""

    two: Inner = field(default_factory=Inner)
    three: int = 3
    """of one line"""


def test_a_text_of_several_lines_becomes_one_paragraph() -> None:
    join_lines(Outer)
    texts = {one.name: one.metadata.get(HELP) for one in fields(Outer)}
    assert texts == {
        "one": "of a first line (and a second one)",
        "two": None,
        "three": "of one line",
    }
    assert fields(Inner)[0].metadata[HELP] == texts["one"]


def without_text(command: type) -> Iterator[str]:
    """Options of ``command`` that have none."""
    for one in fields(command):
        if isinstance(one.type, type) and is_dataclass(one.type):
            yield from without_text(one.type)
        elif not one.metadata.get(HELP):
            yield one.name


@pytest.mark.parametrize("columns", ["80", "110"])
@pytest.mark.parametrize(("command", "about"), COMMANDS)
def test_every_option_has_a_text_and_no_default_that_says_nothing(
    columns: str,
    command: type,
    about: object,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = here(capfd, command.__name__.lower(), "--help")
    assert code == 0
    assert not list(without_text(command))
    assert not re.findall(r"\(default: (?:''|None)?\)|\[STR|\{None\}", out)
    boxes = [line for line in out.splitlines() if line.startswith("│")]
    assert max(map(len, boxes)) <= int(columns)


def test_maintainers_commands_come_last(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = here(capfd, "--help")
    listed = re.findall(r"• (\w+) +(For maintainers:)?", out)
    assert [name for name, _ in listed[-3:]] == ["accept", "keep", "results"]
    assert [name for name, marked in listed if marked] == ["accept", "keep", "results"]
