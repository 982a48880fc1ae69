"""How many paths `jsonschema-rs` walks to compile `unevaluatedProperties` and `unevaluatedItems`.

Law: from each schema with such a keyword it follows every path through the subschemas and references in place, and
remembers none: two equal references chained thirty deep are 2**30 paths. The same walk is made here, up to a cap,
before a schema is compiled; a schema above it cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from claude_comm.schema.verdict import Json

# Measured on a machine of 2025: about 8 microseconds a path, so a tenth of a second.
MAX_PATHS = 12_000

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("if", "then", "else", "not")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ASKING = frozenset(("unevaluatedProperties", "unevaluatedItems"))


def too_many_paths(root: Json) -> bool:
    """Whether compiling `root`, a schema of 2019-09 or later, would follow more than `MAX_PATHS` paths."""
    asking = _asking(root)
    if not asking:
        return False
    targets = _Targets(root)
    # Each with the references that led there: a path ends where it comes back to one of them.
    pending: list[tuple[Json, frozenset[int]]] = [(schema, frozenset()) for schema in asking]
    walked = 0
    while pending:
        schema, seen = pending.pop()
        walked += 1
        if walked > MAX_PATHS:
            return True
        if not isinstance(schema, dict):
            continue
        pending += ((inner, seen) for inner in _in_place(schema))
        for target in targets.of(schema):
            if id(target) not in seen:
                pending.append((target, seen | {id(target)}))
    return False


def _in_place(schema: dict[str, Any]) -> Iterator[Json]:
    for keyword in _LISTS:
        found = schema.get(keyword)
        if isinstance(found, list):
            yield from found
    yield from (schema[keyword] for keyword in _SINGLE if keyword in schema)
    dependent = schema.get("dependentSchemas")
    if isinstance(dependent, dict):
        yield from dependent.values()


class _Targets:
    """Where references lead, as far as a path, an anchor or an identifier tells; the rest leads nowhere."""

    def __init__(self, root: Json) -> None:
        self.base_of: dict[int, str] = {}
        self.found: dict[str, Json] = {"": root}
        for schema, base in _dicts(root, ""):
            self.base_of[id(schema)] = base
            if isinstance(schema.get("$id"), str):
                self.found.setdefault(base, schema)
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(schema.get(keyword), str):
                    self.found.setdefault(f"{base}#{schema[keyword]}", schema)

    def of(self, schema: dict[str, Any]) -> Iterator[Json]:
        for keyword in _REFERENCES:
            reference = schema.get(keyword)
            if isinstance(reference, str):
                yield self.target(_join(self.base_of.get(id(schema), ""), reference))

    def target(self, address: str) -> Json:
        if address in self.found:
            return self.found[address]
        base, fragment = urldefrag(address)
        value = self.found.get(base)
        for step in unquote(fragment).split("/")[1:] if fragment.startswith("/") else ():
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict):
                value = value.get(key)
            else:
                value = (
                    value[int(key)] if isinstance(value, list) and key.isdecimal() and int(key) < len(value) else None
                )
        return value


def _asking(root: Json) -> list[dict[str, Any]]:
    """The objects with a keyword that makes the validator walk."""
    found, stack = [], [root]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if not _ASKING.isdisjoint(value):
                found.append(value)
            stack += value.values()
        elif isinstance(value, list | tuple):
            stack += value
    return found


def _dicts(root: Json, base: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object of a document with the base address there."""
    stack = [(root, base)]
    while stack:
        value, base = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$id"), str):
                base = _join(base, value["$id"]).rstrip("#")
            yield value, base
            stack += ((item, base) for item in value.values())
        elif isinstance(value, list | tuple):
            stack += ((item, base) for item in value)


def _join(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        # An address such as `http://[`: the validator refuses it.
        return reference
