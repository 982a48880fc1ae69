"""JSON values as mathematics sees them: equality, exact numbers, and the way back to what Python writes.

Law: 1 and 1.0 are one value, true is not 1, the order of an object's members does not count. A float means the
decimal number that it prints as, because that is what stands in the JSON text: 0.3 is three tenths.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import msgspec

from claude_comm.schema.verdict import Json

# Hashable: ("n", Fraction), ("s", str), ("b", bool), ("z",), ("a", key...), ("o", frozenset of (name, key)).
Key: TypeAlias = tuple[Any, ...]


def exact(number: float | Decimal) -> Fraction:
    """The number that the JSON text of `number` denotes."""
    return (
        Fraction(number)
        if isinstance(number, int)
        else Fraction(Decimal(repr(number) if isinstance(number, float) else number))
    )


def key(value: Json) -> Key:
    """Equal for two values exactly when JSON Schema calls them equal."""
    if value is None:
        return ("z",)
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, str):
        return ("s", value)
    if isinstance(value, dict):
        return ("o", frozenset((name, key(item)) for name, item in value.items()))
    if isinstance(value, list | tuple):
        return ("a", *(key(item) for item in value))
    return ("n", exact(value))


def identity(value: Json) -> bytes:
    """Bytes that are equal for two values exactly when their keys are: for long lists, in a tenth of the time."""
    try:
        packed = _PACKER.encode(value)
        return packed if _FLOAT not in packed else _PACKER.encode(_with_whole_numbers(value))
    except (OverflowError, UnicodeEncodeError):
        return _NO_PACK + json.dumps(_with_whole_numbers(value), sort_keys=True).encode()


# The members of objects come in the order of their names, and each text, integer and list is written in one way.
_PACKER = msgspec.msgpack.Encoder(order="deterministic")
# The byte before a float, which may also stand elsewhere; and the one that MessagePack never writes.
_FLOAT, _NO_PACK = b"\xcb", b"\xc1"


def _with_whole_numbers(value: Json) -> Json:
    """The value with an integer for each float that denotes one."""
    if isinstance(value, float):
        number = exact(value)
        return number.numerator if number.denominator == 1 else value
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    return [_with_whole_numbers(item) for item in value] if isinstance(value, list | tuple) else value


def text(value: Json) -> bytes:
    """The value as JSON; what the fast encoder does not take (integers past 64 bits, surrogates) the slow one does."""
    try:
        return msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError, msgspec.MsgspecError):
        return json.dumps(value).encode()


def ordered(value: Json) -> str:
    """The value as JSON with the members of objects in order, so that the same one has the same text."""
    try:
        return msgspec.json.encode(value, order="deterministic").decode()
    except (OverflowError, UnicodeEncodeError, msgspec.MsgspecError):
        return json.dumps(value, sort_keys=True)


def value(of: Key) -> Json:
    """A JSON value with that key; raises `Unwritable`."""
    match of:
        case ("z",):
            return None
        case ("n", number):
            return written(number)
        case ("o", members):
            return {name: value(item) for name, item in sorted(members, key=lambda pair: pair[0])}
        case ("a", *items):
            return [value(item) for item in items]
        case _:
            return of[1]


class Unwritable(Exception):
    """A number that no float prints exactly. It never leaves the engine."""


def written(number: Fraction) -> int | float:
    """The integer or float whose JSON text denotes `number`; raises `Unwritable`."""
    if number.denominator == 1:
        return number.numerator
    try:
        near = float(number)
    except OverflowError:
        raise Unwritable from None
    if exact(near) != number:
        raise Unwritable
    return near


def pointed(number: int) -> float | None:
    """The float that denotes the same number, where there is one."""
    try:
        near = float(number)
    except OverflowError:
        return None
    return near if exact(near) == number else None
