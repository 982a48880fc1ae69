"""The types of a union as msgspec's decoder has them, which keeps one of a kind.

Law: the types that come out take what the decoder takes of the union. It looks at the kind of a value alone: of two
types of text it keeps one, with the last bound that either gives of each sort, and has no `Raw` beside other types.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

from claude_comm.schema.types.direction import Schema


def as_decoded(types: Iterable[Any]) -> list[Any]:
    """The types of a union, those of one kind as one."""
    options = [option for option in types if not isinstance(option, inspect.RawType)]
    kept: dict[Any, Any] = {}
    for option in options:
        kind = type(option) if isinstance(option, _BOUNDED) else id(option)
        kept[kind] = _joined(kept[kind], option) if kind in kept else option
    return [left for option in kept.values() for left in _beside(option, kept)]


def _joined(one: Any, other: Any) -> Any:
    """One type with the bounds of both; of each sort the last one counts."""
    said = {name: getattr(other, name) for name in other.__struct_fields__ if getattr(other, name) is not None}
    for pair in _SAME_SORT:
        if not said.keys().isdisjoint(pair):
            said = {**dict.fromkeys(pair), **said}
    if said.get("tz", one_tz := getattr(one, "tz", None)) != one_tz and one_tz is not None:
        # One wants a zone, and the other none.
        return inspect.LiteralType(())
    return msgspec.structs.replace(one, **said)


def _beside(option: Any, kept: dict[Any, Any]) -> list[Any]:
    """A literal without the values that another type of the union takes in its place."""
    if not isinstance(option, inspect.LiteralType):
        return [option]
    values = [
        value
        for value in option.values
        if not (isinstance(value, int) and inspect.IntType in kept)
        and not (isinstance(value, str) and inspect.StrType in kept)
    ]
    return [inspect.LiteralType(tuple(values))] if values else []


def apart(node: Any, schema: Schema, options: list[tuple[Any, Schema]]) -> list[Schema]:
    """What a type of a union is handed: a number goes to the type that is meant for it, whatever another would take."""
    whole = [of for option, of in options if holds_integers(option)]
    real = any(isinstance(option, inspect.FloatType) for option, _ in options)
    if isinstance(node, inspect.DecimalType) and (whole or real):
        number, text = schema["anyOf"]
        return [text] if real else [text, _fractions(number)]
    if isinstance(node, inspect.FloatType) and any({**of, "type": "number"} != schema for of in whole):
        return [_fractions(schema)]
    return [schema]


def _fractions(schema: Schema) -> Schema:
    return {**schema, "not": {"type": "integer"}}


def holds_integers(node: Any) -> bool:
    return isinstance(node, inspect.IntType) or any(isinstance(value, int) for value in listed(node))


def listed(node: Any) -> list[Any]:
    """The values of an enumeration or a literal."""
    return values_of(node.cls) if isinstance(node, inspect.EnumType) else list(getattr(node, "values", ()))


def values_of(cls: type[enum.Enum]) -> list[Any]:
    return list(dict.fromkeys(member.value for member in cls))


_SAME_SORT = ("ge", "gt"), ("le", "lt")
_BOUNDED = (
    *(inspect.IntType, inspect.FloatType, inspect.StrType, inspect.BytesType, inspect.ByteArrayType),
    *(inspect.MemoryViewType, inspect.DateTimeType, inspect.TimeType),
)
