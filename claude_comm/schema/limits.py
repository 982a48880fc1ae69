"""Caps on a schema, measured before anything else looks at it.

Law: nothing below this file ever sees a value that JSON cannot carry, or a document over a cap. Whatever is refused
is refused by `SchemaError`, with the JSON Pointer of the place.
"""

from __future__ import annotations

import math

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.verdict import Json


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What a schema may measure. Depth counts nested objects and arrays; digits are those of one number."""

    # Both validators recurse: jsonschema-rs refuses beyond 255 levels, the interpreter's stack not far above.
    depth: int = 100
    nodes: int = 50_000
    characters: int = 1_048_576
    # Python refuses to print integers over 4,300 digits; nobody compares messages at more than a few hundred.
    digits: int = 400
    references: int = 5_000


DEFAULT_CAPS = Caps()


class Measure(msgspec.Struct):
    """The size of a document while it is walked."""

    nodes: int = 0
    characters: int = 0
    references: int = 0


def measure(schema: Json, caps: Caps = DEFAULT_CAPS) -> Measure:
    """The size of `schema`; raises `SchemaError` where it is not JSON or is over a cap."""
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"a schema is an object or a boolean, not {_kind(schema)}.")
    glance = _glance(schema, caps)
    return _walked(schema, caps) if glance is None else glance


def _glance(schema: Json, caps: Caps) -> Measure | None:
    """The size of a plain schema, level by level; None for any other, which `_walked` then measures or refuses."""
    found, layer, bits = Measure(), [schema], _bits(caps)
    for _ in range(caps.depth):
        below: list[Json] = []
        for value in layer:
            kind = type(value)
            if kind is dict:
                if not _plain_keys(value, found):
                    return None
                below += value.values()
            elif kind is list:
                below += value
            elif kind is str and value.isascii():
                found.characters += len(value) + 2
            elif value is None or kind is bool:
                found.characters += 4
            elif kind is int and value.bit_length() <= bits:
                found.characters += 8
            elif kind is float and math.isfinite(value):
                found.characters += 16
            else:
                return None
            # The same list may stand in many places: it is never copied more often than the cap allows.
            if len(below) > caps.nodes:
                return None
        found.nodes += len(layer)
        if not below:
            return found if _within(found, caps) else None
        layer = below
    return None


def _bits(caps: Caps) -> int:
    """10 binary digits are a little over 3 decimal ones."""
    return caps.digits * 10 // 3


def _within(found: Measure, caps: Caps) -> bool:
    return found.nodes <= caps.nodes and found.characters <= caps.characters and found.references <= caps.references


def _plain_keys(value: dict[str, Json], found: Measure) -> bool:
    try:
        names = "".join(value)
    except TypeError:
        return False
    found.characters += len(names) + 2 * len(value)
    found.references += len(_REFERENCES & value.keys())
    return names.isascii()


def _walked(schema: Json, caps: Caps) -> Measure:
    """The size of any value; raises `SchemaError` with the place."""
    found = Measure()
    # (value, depth, path as a chain of parents): a chain costs nothing until a place has to be named.
    stack: list[tuple[Json, int, _Place]] = [(schema, 1, None)]
    while stack:
        value, depth, place = stack.pop()
        found.nodes += 1
        if depth > caps.depth:
            raise SchemaError(f"nested more than {caps.depth} deep.", path=pointer(place))
        if found.nodes > caps.nodes:
            raise SchemaError(f"more than {caps.nodes:,} values in one schema.", path=pointer(place))
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise SchemaError(f"an object key must be a string, not {_kind(key)}.", path=pointer(place))
                _text(key, found, caps, place)
                found.references += key in _REFERENCES
                stack.append((item, depth + 1, (place, key)))
        elif isinstance(value, list | tuple):
            stack.extend((item, depth + 1, (place, str(index))) for index, item in enumerate(value))
        else:
            _scalar(value, found, caps, place)
    if found.references > caps.references:
        raise SchemaError(f"more than {caps.references:,} references in one schema.")
    return found


_REFERENCES = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))
_Place = tuple["_Place", str] | None


def pointer(place: _Place) -> str:
    """The JSON Pointer of a chain of parents."""
    parts: list[str] = []
    while place is not None:
        place, key = place
        parts.append(escape(key))
    return "".join("/" + part for part in reversed(parts))


def escape(key: str) -> str:
    """One step of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _scalar(value: Json, found: Measure, caps: Caps, place: _Place) -> None:
    if isinstance(value, str):
        _text(value, found, caps, place)
    elif value is None or isinstance(value, bool):
        found.characters += 4
    elif isinstance(value, int):
        if value.bit_length() > _bits(caps):
            raise SchemaError(f"a number of more than {caps.digits} digits.", path=pointer(place))
        found.characters += 8
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError("a number too large to be compared, or not a number.", path=pointer(place))
        found.characters += 16
    else:
        raise SchemaError(f"{_kind(value)} is not a JSON value.", path=pointer(place))


def _text(value: str, found: Measure, caps: Caps, place: _Place) -> None:
    found.characters += len(value) + 2
    if found.characters > caps.characters:
        raise SchemaError(f"larger than {caps.characters:,} characters.", path=pointer(place))
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise SchemaError("text with a lone surrogate, which is not Unicode text.", path=pointer(place))


def _kind(value: object) -> str:
    return f"a Python {type(value).__name__}"
