"""Help texts of options: the string below each field of a command, without its line breaks.

The parser would keep them, and break the lines of a narrow terminal once more in between.
"""

import ast
import inspect
import textwrap
from dataclasses import Field, fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from tyro.conf import arg

TABLES = "[TABLE [TABLE ...]]"
HELP = "help"  # the key of a field's metadata that the parser reads


def optional(metavar: str) -> Any:
    """For an option that is nothing by default: its text says what that means."""
    return arg(metavar=metavar, help_behavior_hint="")


def join_lines(command: type) -> None:
    """Give every field of ``command``, and of the dataclasses in it, its text as one paragraph."""
    texts: dict[str, str] = {}
    for base in reversed(command.__mro__):
        if is_dataclass(base):
            texts |= _texts(base)
    own: tuple[Field[Any], ...] = fields(command)
    for field in own:
        if isinstance(field.type, type) and is_dataclass(field.type):
            join_lines(field.type)
        if field.name in texts:
            field.metadata = MappingProxyType({**field.metadata, HELP: texts[field.name]})


@cache
def _texts(of: type) -> dict[str, str]:
    """The strings below the fields that a class itself has, by the fields' names."""
    try:
        source = inspect.getsource(of)
    except OSError:  # installed without it
        return {}
    (node,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str() as value)):
                found[name] = " ".join(value.split())
    return found
