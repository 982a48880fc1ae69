"""Caps on a schema, measured before anything else looks at it.

Law: no other file of the engine ever sees a value that JSON cannot carry, or a document over a cap. What is refused is
refused by `SchemaError`, with the JSON Pointer of the place.
"""

from __future__ import annotations

import math

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.keywords import REFERENCES
from claude_comm.schema.pointer import pointer
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


class Measure(msgspec.Struct, gc=False):
    """The size of a document while it is walked, and every name of a member in it, be it a keyword or not."""

    nodes: int = 0
    depth: int = 0
    characters: int = 0
    references: int = 0
    # Items of the longest list.
    longest: int = 0
    names: set[str] = msgspec.field(default_factory=set)
    # No number that a validator might not hold: see `_ordinary`.
    ordinary: bool = True


def measure(schema: Json, caps: Caps = DEFAULT_CAPS) -> Measure:
    """The size of `schema`; raises `SchemaError` where it is not JSON or is over a cap."""
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"a schema is an object or a boolean, not {_kind(schema)}.")
    glance = _glance(schema, caps)
    return _walked(schema, caps) if glance is None else glance


def _glance(schema: Json, caps: Caps) -> Measure | None:
    """The size of a plain schema, level by level; None for any other, which `_walked` then measures or refuses."""
    size, layer, most = Measure(), [schema], caps.nodes
    texts, names, short = list[str](), list[str](), 0
    for size.depth in range(1, caps.depth + 1):
        below: list[Json] = []
        for value in layer:
            kind = type(value)
            if kind is str:
                texts.append(value)
            elif kind is dict or kind is list:
                if kind is dict:
                    names += value
                    below += value.values()
                else:
                    below += value
                    size.longest = max(size.longest, len(value))
                # The same list may stand in many places: it is never copied more often than the cap allows.
                if len(below) > most:
                    return None
            elif kind is bool or value is None:
                short += 4
            elif kind is int and -_ORDINARY < value < _ORDINARY:
                short += 8
            elif not _plain(value, kind, size, caps):
                return None
        size.nodes += len(layer)
        if not below:
            size.characters += short
            size.names.update(names)
            size.references = 0 if REFERENCES.isdisjoint(size.names) else sum(map(names.count, REFERENCES))
            return size if _texts(texts + names, size, caps) and _within(size, caps) else None
        if size.nodes > most:
            return None
        layer = below
    return None


def _plain(value: Json, kind: type, size: Measure, caps: Caps) -> bool:
    """Counts a number; whether it is one, and within the caps."""
    if kind is int and value.bit_length() <= _bits(caps):
        size.characters += 8
    elif kind is float and math.isfinite(value):
        size.characters += 16
    else:
        return False
    size.ordinary = size.ordinary and _ordinary(value)
    return True


def _ordinary(number: float | None) -> bool:
    """Whether every validator holds it as it is: nothing that has to be rounded, and no count past its integers."""
    return not number or 1e-9 < abs(number) < _ORDINARY


_ORDINARY = 2**31


def _texts(texts: list[str], size: Measure, caps: Caps) -> bool:
    """Counts the strings of a plain schema; whether they are strings within the caps, and of Unicode text alone."""
    try:
        size.characters += sum(map(len, texts)) + 2 * len(texts)
        # Joined only once they are known to be few: the same long text may stand in many places.
        if size.characters > caps.characters:
            return False
        # A lone surrogate has no bytes.
        "".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _bits(caps: Caps) -> int:
    """10 binary digits are a little over 3 decimal ones."""
    return caps.digits * 10 // 3


def _within(size: Measure, caps: Caps) -> bool:
    return size.nodes <= caps.nodes and size.characters <= caps.characters and size.references <= caps.references


def _walked(schema: Json, caps: Caps) -> Measure:
    """The size of any value; raises `SchemaError` with the place."""
    size = Measure()
    # (value, depth, path as a chain of parents): a chain costs nothing until a place has to be named.
    stack: list[tuple[Json, int, _Place]] = [(schema, 1, None)]
    while stack:
        value, depth, place = stack.pop()
        size.nodes += 1
        size.depth = max(size.depth, depth)
        if depth > caps.depth:
            raise SchemaError(f"nested more than {caps.depth} deep.", path=_pointer(place))
        if size.nodes > caps.nodes:
            raise SchemaError(f"more than {caps.nodes:,} values in one schema.", path=_pointer(place))
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise SchemaError(f"an object key must be a string, not {_kind(key)}.", path=_pointer(place))
                _text(key, size, caps, place)
                size.names.add(key)
                size.references += key in REFERENCES
                stack.append((item, depth + 1, (place, key)))
        elif isinstance(value, list | tuple):
            size.longest = max(size.longest, len(value))
            stack.extend((item, depth + 1, (place, str(index))) for index, item in enumerate(value))
        else:
            _scalar(value, size, caps, place)
    if size.references > caps.references:
        raise SchemaError(f"more than {caps.references:,} references in one schema.")
    _few_characters(size, caps, None)
    return size


_Place = tuple["_Place", str] | None


def _pointer(place: _Place) -> str:
    """The JSON Pointer of a chain of parents."""
    steps: list[str] = []
    while place is not None:
        place, key = place
        steps.append(key)
    return pointer(reversed(steps))


def _scalar(value: Json, size: Measure, caps: Caps, place: _Place) -> None:
    if isinstance(value, str):
        _text(value, size, caps, place)
    elif value is None or isinstance(value, bool):
        size.characters += 4
    elif isinstance(value, int):
        if value.bit_length() > _bits(caps):
            raise SchemaError(f"a number of more than {caps.digits} digits.", path=_pointer(place))
        size.characters += 8
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError("a number too large to be compared, or not a number.", path=_pointer(place))
        size.characters += 16
    else:
        raise SchemaError(f"{_kind(value)} is not a JSON value.", path=_pointer(place))
    if not isinstance(value, str):
        size.ordinary = size.ordinary and _ordinary(value)


def _text(value: str, size: Measure, caps: Caps, place: _Place) -> None:
    size.characters += len(value) + 2
    _few_characters(size, caps, place)
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise SchemaError("text with a lone surrogate, which is not Unicode text.", path=_pointer(place))


def _few_characters(size: Measure, caps: Caps, place: _Place) -> None:
    if size.characters > caps.characters:
        raise SchemaError(f"larger than {caps.characters:,} characters.", path=_pointer(place))


def _kind(value: object) -> str:
    return f"a Python {type(value).__name__}"
