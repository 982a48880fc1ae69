"""A schema as `jsonschema-rs` must be given it, to mean at run time what it means in a proof.

Law: the rendered schema accepts exactly the values that the normal form describes. Three readings of `jsonschema-rs`
differ from that, and one is slow; they are mended here, each where a schema gives cause, so that most schemas go
through as they are:

- It asserts `contentEncoding` and `contentMediaType` in drafts 6 and 7, which are annotations everywhere else; and
  `dependencies` in 2019-09 and later, where there is no such keyword any more.
- It compares a float with a whole bound past 2**53 by the float's binary value, and in all other cases by the decimal
  number that the float prints as. A bound that is written with a point is always compared by the decimal.
- It refuses a reference with characters that an address may only hold as percent codes: `#/$defs/größe`.
- It compares a value with each member of a long `enum` in turn, unless all of them are text or all are numbers: 2,000
  items beside 2,000 listed objects took 1.3 s and could not be interrupted. Such a list is looked up by a keyword of
  our own, which costs the same however long the list is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import quote

from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.limits import Measure
from claude_comm.schema.values import identity, text
from claude_comm.schema.verdict import Json

Schema: TypeAlias = dict[str, Any]

_BOUNDS = frozenset(keywords.NUMBER_BOUNDS)
ADDRESSES = keywords.REFERENCES | {"$id", "id"}
_NOTABLE = _BOUNDS | keywords.CONTENT | ADDRESSES | {"dependencies", "enum"}
# What a long list is called in a rendered schema, and from how many members on it is one: a look-up takes as long as
# about twenty comparisons.
LISTED = "$enum"
MANY_LISTED = 32
# Of a refused list these are told: one more than a sentence shows.
TOLD = 9
# Where floats begin to leave out whole numbers, up to where `jsonschema-rs` takes the decimal anyway.
_LOWEST, _HIGHEST = 2**53, 2**64

_NOT_IN_ADDRESS = re.compile(r"[^!$&-;=?-Z_a-z~%\[\]]|%(?![0-9A-Fa-f]{2})")
_NOT_IN_FRAGMENT = re.compile(r"[^!$&-;=?-Z_a-z~%]|%(?![0-9A-Fa-f]{2})")

# Where there is one, some address is perhaps to be encoded: a value with other characters than those that may stand.
_ADDRESS_TO_ENCODE = re.compile(
    rb'"(?:%b)": ?"[^"]*[^!#$&-;=?-Z_a-z~"]' % b"|".join(re.escape(name.encode()) for name in sorted(ADDRESSES))
)


class _SaysNothing:
    """A keyword that asserts nothing, in the shape in which `jsonschema-rs` takes keywords."""

    def __init__(self, schema: Json, value: Json, path: list[str | int]) -> None:
        pass

    def validate(self, instance: Json) -> None:
        pass


class _LookedUp:
    """A long `enum`, in the same shape: its error carries the first members of the list."""

    def __init__(self, schema: Json, value: Json, path: list[str | int]) -> None:
        self.listed = frozenset(map(identity, value))
        self.told = text(value[:TOLD]).decode()

    def validate(self, instance: Json) -> None:
        if identity(instance) not in self.listed:
            raise ValueError(self.told)


# The type that the validator asks for is in its stubs alone.
Keywords: TypeAlias = dict[str, Any]


def rendered(schema: Json, dialect: Dialect) -> tuple[Json, Keywords | None]:
    """The schema for `jsonschema-rs`, the same object where it may stay, and the keywords that it has to be told of."""
    causes = _causes(schema)
    for cause, change in _CHANGES.items():
        if cause in causes:
            schema = _changed(schema, change)
    # What an embedded schema of an old dialect says by `dependencies` counts; no proof ever judges such a document.
    ignored = not keywords.known("dependencies", dialect) and "dependencies" in causes and not _embeds(schema)
    silenced: Keywords = {"dependencies": _SaysNothing} if ignored else {}
    if "lists" in causes:
        silenced[LISTED] = _LookedUp
    return schema, silenced or None


def has_long_lists(schema: Json, size: Measure) -> bool:
    """Whether some `enum` of a schema of this size is to be looked up."""
    return size.longest > MANY_LISTED and any(
        _is_long_list(inner) for inner in keywords.schemas(schema) if "enum" in inner
    )


def addressed(schema: Json) -> Json:
    """The schema with its addresses percent-encoded; the same object where they are."""
    # As text it is searched in a fiftieth of the time that a walk takes.
    if not _ADDRESS_TO_ENCODE.search(text(schema)):
        return schema
    return _changed(schema, _with_addresses) if "addresses" in _causes(schema) else schema


def encoded(address: str) -> str:
    """An address with percent codes for what may not stand in one."""
    base, mark, fragment = address.partition("#")
    return _NOT_IN_ADDRESS.sub(_code, base) + mark + _NOT_IN_FRAGMENT.sub(_code, fragment)


def as_written(limit: Json) -> Json:
    """A bound from an error of `jsonschema-rs`, as the schema had it before it was rendered."""
    return int(limit) if isinstance(limit, Decimal) else limit


def _code(match: re.Match[str]) -> str:
    return quote(match[0], safe="")


def _causes(schema: Json) -> set[str]:
    """What there is to mend."""
    causes: set[str] = set()
    for inner in keywords.schemas(schema):
        if not _NOTABLE.isdisjoint(inner):
            causes.update(cause for cause, shows in _SHOWS.items() if shows(inner))
    return causes


def _embeds(schema: Json) -> bool:
    """Whether some schema inside says what dialect it is in."""
    return any("$schema" in inner for inner in keywords.schemas(schema) if inner is not schema)


def _changed(schema: Schema, change: Callable[[Schema], Schema]) -> Json:
    """A copy in which every schema is changed."""
    data = keywords.data_in(schema)

    def changed(inner: Schema) -> Json:
        return change({keyword: keywords.mapped(keyword, value, changed, data) for keyword, value in inner.items()})

    return changed(schema)


def _with_addresses(schema: Schema) -> Schema:
    return {key: encoded(value) if _is_bad(key, value) else value for key, value in schema.items()}


def _with_points(schema: Schema) -> Schema:
    return {key: Decimal(f"{value}.0") if _is_long(key, value) else value for key, value in schema.items()}


def _without_content(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in keywords.CONTENT or not isinstance(value, str)}


def _with_lists(schema: Schema) -> Schema:
    return (
        {LISTED if key == "enum" else key: value for key, value in schema.items()} if _is_long_list(schema) else schema
    )


def _is_long_list(schema: Schema) -> bool:
    """Whether the members of its `enum` would be compared one by one, and are many."""
    values = schema.get("enum")
    if not isinstance(values, list) or len(values) <= MANY_LISTED:
        return False
    kinds = {float if type(value) is int else type(value) for value in values}
    return len(kinds) > 1 or not kinds <= {str, float}


def _is_bad(keyword: str, value: Json) -> bool:
    return keyword in ADDRESSES and isinstance(value, str) and encoded(value) != value


def _is_long(keyword: str, value: Json) -> bool:
    return keyword in _BOUNDS and isinstance(value, int) and _LOWEST < abs(value) < _HIGHEST


_SHOWS: dict[str, Callable[[Schema], bool]] = {
    "addresses": lambda schema: any(_is_bad(key, schema[key]) for key in ADDRESSES & schema.keys()),
    "bounds": lambda schema: any(_is_long(key, schema[key]) for key in _BOUNDS & schema.keys()),
    "content": lambda schema: not keywords.CONTENT.isdisjoint(schema),
    "dependencies": lambda schema: "dependencies" in schema,
    "lists": _is_long_list,
}
_CHANGES: dict[str, Callable[[Schema], Schema]] = {
    "addresses": _with_addresses,
    "bounds": _with_points,
    "content": _without_content,
    "lists": _with_lists,
}
