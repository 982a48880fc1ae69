"""Whether two schemas are written alike, and mean the same by it.

Law: what is alike accepts the same values, unless it refers to definitions: then those have to be alike as well
(`alike_definitions`), or says of some part that it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from claude_comm.schema.values import ordered, text
from claude_comm.schema.verdict import Json


def bare(schema: Json) -> Json:
    """A whole schema without its definitions."""
    if isinstance(schema, dict) and "$defs" in schema:
        return {name: value for name, value in schema.items() if name != "$defs"}
    return schema


def alike(left: Json, right: Json) -> bool:
    """Whether two schemas say the same word for word, in any order of keys; in Python 1 equals true, as text not."""
    if isinstance(right, _WORDS):
        return type(left) is type(right) and bool(left == right)
    # Most that is alike has its keys in one order.
    return bool(left == right) and (text(left) == text(right) or ordered(left) == ordered(right))


_WORDS = (str, bool, int)


def alike_definitions(produced: Mapping[str, Json], accepted: Mapping[str, Json]) -> frozenset[str]:
    """The names that stand for the same on both sides: written alike, and so is all that they refer to."""
    common = {
        name
        for name, schema in produced.items()
        if name in accepted and alike(schema, accepted[name]) and not unknown(schema)
    }
    users: dict[str, list[str]] = {}
    for name in common:
        for used in references(produced[name]):
            users.setdefault(used, []).append(name)
    different = [used for used in users if used not in common]
    while different:
        for user in users.get(different.pop(), ()):
            if user in common:
                common.remove(user)
                different.append(user)
    return frozenset(common)


def references(schema: Json) -> set[str]:
    """The definitions that a schema of a normal form refers to, at any place; of constants it may be more."""
    written = text(schema)
    return {name.decode() for name in _REFERENCE.findall(written)} if b'"$ref"' in written else set()


def unknown(schema: Json) -> bool:
    """Whether some part may be anything: two of them need not be the same, though they are for the same reason."""
    return b'"$opaque"' in text(schema)


_REFERENCE = re.compile(rb'"\$ref":"#/\$defs/([^"]*)"')


def needed(schema: Json, definitions: Mapping[str, Json]) -> dict[str, Json]:
    """The definitions that a schema refers to, directly or through others."""
    kept: dict[str, Json] = {}
    pending = references(schema)
    while pending:
        name = pending.pop()
        if name not in kept and name in definitions:
            kept[name] = definitions[name]
            pending |= references(definitions[name])
    return kept
