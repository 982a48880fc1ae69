"""How many paths `jsonschema-rs` walks to compile `unevaluatedProperties` and `unevaluatedItems`.

Law: from each schema with such a keyword it follows every path through the subschemas and references in place, and
remembers none: two equal references chained thirty deep are 2**30 paths. The same walk is made here, up to a cap,
before a schema is compiled; a schema above it cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urldefrag, urljoin

from claude_comm.schema import keywords
from claude_comm.schema.pointer import follow
from claude_comm.schema.verdict import Json

# Measured on a machine of 2025: about 8 microseconds a path, so a tenth of a second.
MAX_PATHS = 12_000


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
        pending += ((inner, seen) for inner in keywords.in_place(schema))
        for target in targets.of(schema):
            if id(target) not in seen:
                pending.append((target, seen | {id(target)}))
    return False


class _Targets:
    """Where references lead, as far as a path, an anchor or an identifier tells; the rest leads nowhere."""

    def __init__(self, root: Json) -> None:
        self.base_of: dict[int, str] = {}
        self.at_address: dict[str, Json] = {"": root}
        for schema, base in _based(root, ""):
            self.base_of[id(schema)] = base
            if isinstance(schema.get("$id"), str):
                self.at_address.setdefault(base, schema)
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(schema.get(keyword), str):
                    self.at_address.setdefault(f"{base}#{schema[keyword]}", schema)

    def of(self, schema: dict[str, Any]) -> Iterator[Json]:
        for keyword in keywords.REFERENCES:
            reference = schema.get(keyword)
            if isinstance(reference, str):
                yield self.target(_join(self.base_of.get(id(schema), ""), reference))

    def target(self, address: str) -> Json:
        if address in self.at_address:
            return self.at_address[address]
        base, fragment = urldefrag(address)
        resource = self.at_address.get(base)
        try:
            return follow(resource, fragment) if fragment.startswith("/") else resource
        except LookupError:
            return None


def _asking(root: Json) -> list[dict[str, Any]]:
    """The schemas with a keyword that makes the validator walk."""
    return [schema for schema in keywords.schemas(root) if not keywords.UNEVALUATED.isdisjoint(schema)]


def _based(root: Json, base: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every schema of a document with the base address there."""
    data = keywords.data_in(root)
    stack: list[tuple[Json, str, keywords.Holds]] = [(root, base, "schema")]
    while stack:
        value, base, holds = stack.pop()
        if isinstance(value, dict) and holds in ("schema", "unknown"):
            if isinstance(value.get("$id"), str):
                base = _join(base, value["$id"]).rstrip("#")
            yield value, base
        for _, item, inner in keywords.inside(value, holds):
            if isinstance(item, dict | list | tuple):
                stack.append((item, base, data if inner == "data" else inner))


def _join(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        # An address such as `http://[`: the validator refuses it.
        return reference
