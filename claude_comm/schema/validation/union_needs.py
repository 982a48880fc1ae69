"""What a union asks for where it refuses: a tag that it knows, a kind of value, or one form alone.

Law: a phrase names what would be taken at this place as far as each form says so itself; where some form says more than
a phrase can, there is none, and the reader is told of the forms that the union lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import jsonschema_rs
import msgspec

from claude_comm.schema.validation.phrases import needed, shown
from claude_comm.schema.verdict import Json

# More than this are no phrase any more.
MAX_PHRASES = 5
_PLAIN = frozenset(("type", "const", "enum"))

Branches = Sequence[Sequence[jsonschema_rs.ValidationError]]


class Tag(msgspec.Struct, frozen=True):
    """The property that tells the forms of a union apart, the value that the message has, and those that are known."""

    name: str
    value: Json
    known: tuple[Json, ...]


def tag_of(branches: Branches, value: Json, depth: int) -> Tag | None:
    """The tag of which no form takes the message's value; forms that take no object at all do not count."""
    if not isinstance(value, dict):
        return None
    known: dict[str, list[Json]] = {}
    common: set[str] | None = None
    for branch in branches:
        if any(error.kind.name in ("type", "falseSchema") and len(error.instance_path) == depth for error in branch):
            continue
        tags = {str(error.instance_path[-1]): _values(error) for error in branch if _is_tag(error, depth)}
        common = set(tags) if common is None else common & set(tags)
        for name, values in tags.items():
            # As text: 1 and true are two tags, and equal in Python.
            told = {shown(value) for value in known.setdefault(name, [])}
            known[name].extend(value for value in values if shown(value) not in told)
    names = [name for name in value if name in (common or ())]
    return Tag(names[0], value[names[0]], tuple(known[names[0]])) if names else None


def tag_need(tag: Tag) -> str:
    """Completes "it must be ..."."""
    listed = [shown(value) for value in tag.known]
    known = " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
    if len(listed) > MAX_PHRASES:
        known = "one of " + ", ".join(listed[:MAX_PHRASES]) + ", ..."
    return f"{known}: {_called(tag.value)} is not accepted"


def kinds_need(branches: Branches, depth: int) -> str:
    """The kinds or values that the forms name themselves, as one phrase; empty where some form says more."""
    phrases: dict[str, None] = {}
    for branch in branches:
        own = [error for error in branch if len(error.instance_path) == depth]
        first = next((error for error in own if error.kind.name in _PLAIN), None)
        if first is None:
            return ""
        phrases[needed(first.kind.name, first.kind.value)] = None
    return " or ".join(phrases) if 0 < len(phrases) <= MAX_PHRASES else ""


SEVERAL = "exactly one of its forms to match, and more than one does"


def _is_tag(error: jsonschema_rs.ValidationError, depth: int) -> bool:
    path = error.instance_path
    return error.kind.name in ("const", "enum") and len(path) == depth + 1 and isinstance(path[-1], str)


def _values(error: jsonschema_rs.ValidationError) -> list[Json]:
    value = error.kind.value
    return value if error.kind.name == "enum" else [value]


def _called(value: Json) -> str:
    return f"a `{value}`" if isinstance(value, str) and len(value) <= 40 else shown(value)
