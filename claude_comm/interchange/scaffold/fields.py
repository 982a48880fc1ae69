"""Names and defaults of the fields of a Struct, and the values that can be constants of a type."""

from __future__ import annotations

import keyword
import re
from typing import Any

from claude_comm.interchange.scaffold.layout import Expression
from claude_comm.schema.verdict import Json

ANY = "Any"
MAX_INTEGER = 2**63 - 1
# What a name in a class would hide from the annotations beside it.
RESERVED = frozenset(
    "int float str bool list dict tuple msgspec module UNSET handles Any Annotated Literal Meta Struct Union".split()
)


def field_name(name: str) -> str:
    own = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not own or own[0].isdigit() or own.startswith("_"):
        own = f"field_{own.strip('_')}"
    if own[0].isupper() or keyword.iskeyword(own) or own in RESERVED:
        own = f"{own[0].lower()}{own[1:]}_"
    return own


def is_default(schema: dict[str, Any], held: Expression) -> bool:
    """Whether it has a default that is a value of its type, and no list or object."""
    value = schema.get("default", ...)
    if not _is_plain(value):
        return False
    kinds = schema.get("type", [])
    listed = [kinds] if isinstance(kinds, str) else kinds
    kind = kind_of(value)
    return (
        held == ANY or kind in listed or (kind == "integer" and "number" in listed) or value in schema.get("enum", [])
    )


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool | float) or is_integer(value)


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER


def kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    for type, kind in ((str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object")):
        if isinstance(value, type):
            return kind
    return "null"
