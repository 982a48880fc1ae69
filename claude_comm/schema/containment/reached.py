"""The part of a schema that a message reaches, compiled for that message alone.

Law: of the message the part says what the whole says, error by error, in some order. What is left out is asked of
nothing in it: properties that no object there has, items of what has none, and definitions that nothing left refers to.

To compile a schema takes up to five times as long as a proof, and most of it describes properties that a witness,
which is a smallest message, does not have. So the whole is compiled only once its parts have come to as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs

from claude_comm.schema import keywords
from claude_comm.schema.containment.alike import bare, needed
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json


def reached(schema: Json, message: Json) -> Json:
    """What a schema of 2020-12, whose references are all `#/$defs/NAME`, says of one message."""
    part = _reached(bare(schema), message)
    if not isinstance(part, dict) or "$defs" not in schema:
        return part
    definitions = needed(part, schema["$defs"])
    return {**part, "$defs": definitions} if definitions else part


def _reached(schema: Json, value: Json) -> Json:
    if type(schema) is not dict:
        return schema
    part: dict[str, Any] = {}
    for keyword, held in schema.items():
        if keyword == "properties":
            part[keyword] = _of_members(held, value)
        elif keyword in keywords.IN_PLACE_LISTS:
            part[keyword] = [_reached(inner, value) for inner in held]
        elif keyword == "items" and (type(value) is not list or not value):
            part[keyword] = True
        elif keyword == "items" and len(value) == 1 and "prefixItems" not in schema:
            part[keyword] = _reached(held, value[0])
        else:
            part[keyword] = held
    return part


def _of_members(properties: dict[str, Json], value: Json) -> dict[str, Json]:
    if type(value) is not dict:
        return {}
    # In the order of the schema, in which errors come.
    return {name: _reached(inner, value[name]) for name, inner in properties.items() if name in value}


# A smaller schema is compiled about as soon as a part of it.
SMALL = 150


class Parts:
    """The parts of one schema, each compiled for the messages that reach it."""

    __slots__ = ("_last", "_left", "_made", "_make", "schema")

    def __init__(self, schema: Json, characters: int, make: Callable[[Json], jsonschema_rs.Validator]) -> None:
        self.schema, self._make = schema, make
        self._left = characters if characters > SMALL else 0
        self._made: dict[bytes, jsonschema_rs.Validator] = {}
        # The same message is put to a schema again for what two validators say, and for its errors.
        self._last: tuple[Json, jsonschema_rs.Validator] | None = None

    def validator(self, message: Json) -> jsonschema_rs.Validator | None:
        """The first validator for one message; None once the whole is worth its time."""
        if not self._left:
            return None
        last = self._last
        if last is not None and last[0] is message:
            return last[1]
        part = reached(self.schema, message)
        written = text(part)
        ready = self._made.get(written)
        if ready is None:
            self._left = max(self._left - len(written), 0)
            if not self._left:
                return None
            ready = self._made[written] = self._make(part)
        self._last = message, ready
        return ready
