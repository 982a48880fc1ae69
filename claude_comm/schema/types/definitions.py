"""The named types of one schema: each is written once, under `$defs`, unless it is used in one place alone.

Law: the schema says the same before and after; a type that holds itself stays a definition.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from claude_comm.schema import keywords

Schema = dict[str, Any]
_PREFIX = "#/$defs/"


class Definitions:
    """Definitions by the type that each is of; two types of one name are told apart by a number."""

    def __init__(self) -> None:
        self._names: dict[Hashable, str] = {}
        self._schemas: dict[str, Schema] = {}

    def refer(self, type_: Hashable, name: str, schema: Callable[[], Schema]) -> Schema:
        """A reference to a type, whose `schema` is made when it is first met; it may refer to the type itself."""
        if type_ not in self._names:
            name = _plain(name)
            taken = sum(other.partition(".")[0] == name for other in self._names.values())
            self._names[type_] = f"{name}.{taken + 1}" if taken else name
            self._schemas[self._names[type_]] = schema()
        return {"$ref": _PREFIX + self._names[type_]}

    def whole(self, root: Schema) -> Schema:
        """A schema with the definitions that it needs."""
        counts: dict[str, int] = {}
        for schema in (root, *self._schemas.values()):
            for name in _referred(schema):
                counts[name] = counts.get(name, 0) + 1
        kept = {name for name, count in counts.items() if count > 1 or self._holds(name, name)}
        written = _written_out(root, self._schemas, kept)
        needed = {
            name: _written_out(self._schemas[name], self._schemas, kept) for name in self._schemas if name in kept
        }
        return {**written, "$defs": needed} if needed else written

    def _holds(self, start: str, name: str) -> bool:
        """Whether the definition `start` leads to `name`."""
        seen, ahead = set[str](), [start]
        while ahead:
            for other in _referred(self._schemas[ahead.pop()]):
                if other == name:
                    return True
                if other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return False


def _plain(name: str) -> str:
    return "".join(char if char.isalnum() or char == "_" else "_" for char in name).strip("_") or "type"


def _referred(schema: Any) -> Iterator[str]:
    return (part["$ref"].removeprefix(_PREFIX) for part in keywords.schemas(schema) if "$ref" in part)


def _written_out(schema: Schema, schemas: dict[str, Schema], kept: set[str]) -> Schema:
    """A copy in which a reference to what is not kept is what it refers to."""
    whole: Schema = {}
    for keyword, value in schema.items():
        if keyword == "$ref" and value.removeprefix(_PREFIX) not in kept:
            whole |= _written_out(schemas[value.removeprefix(_PREFIX)], schemas, kept)
        else:
            whole[keyword] = keywords.mapped(keyword, value, lambda part: _written_out(part, schemas, kept))
    return whole
