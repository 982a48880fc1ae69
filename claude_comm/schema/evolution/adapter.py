"""Adapters: declared steps that turn a producer's message into one that a consumer accepts, as data.

Law: `apply` is pure and total. It never raises, never changes its argument, and a step that finds nothing to do leaves
the message as it is; what an adapter achieves is therefore a matter of proof (`image`, `adapt`) and not of trying.

A step names where it works by `at`: property names, and null for "each item of this array". `["lines", null]` is every
element of `lines`; `[]` is the message itself.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeAlias, assert_never

import msgspec

from claude_comm.schema.verdict import Json

Place: TypeAlias = tuple[str | None, ...]

# What an integer looks like when it is written out, and the texts that are read as numbers: within these lengths the
# interpreter converts without a limit being met, and no float overflows.
WRITTEN_INTEGER = "^(0|-?[1-9][0-9]*)$"
INTEGER_TEXT = "^(0|-?[1-9][0-9]{0,399})$"
NUMBER_TEXT = r"^-?(0|[1-9][0-9]{0,200})(\.[0-9]{1,100})?$"


class Default(msgspec.Struct, frozen=True, kw_only=True, tag="default", tag_field="step", omit_defaults=True):
    """Give the object at `at` the property `name` with `value`, when it is missing, or when it is there and null."""

    at: Place = ()
    name: str
    value: Json
    when: Literal["missing", "null"] = "missing"


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop", tag_field="step", omit_defaults=True):
    """Take the property `name` from the object at `at`, always, or when it is null."""

    at: Place = ()
    name: str
    when: Literal["always", "null"] = "always"


class Rename(msgspec.Struct, frozen=True, kw_only=True, tag="rename", tag_field="step", omit_defaults=True):
    """Move the property `name` of the object at `at` to `to`, unless `to` is there already."""

    at: Place = ()
    name: str
    to: str


class Widen(msgspec.Struct, frozen=True, kw_only=True, tag="widen", tag_field="step", omit_defaults=True):
    """Write an integer as its decimal digits and a boolean as `true` or `false`: nothing is lost.

    From integer to number there is nothing to do: in JSON Schema every integer is a number.
    """

    at: Place


class Wrap(msgspec.Struct, frozen=True, kw_only=True, tag="wrap", tag_field="step", omit_defaults=True):
    """Put what is not an array into an array of its own."""

    at: Place


class Convert(msgspec.Struct, frozen=True, kw_only=True, tag="convert", tag_field="step", omit_defaults=True):
    """Read the value as another kind where it can be: it may lose (2.6 becomes 3) or miss (`soon` is no number)."""

    at: Place
    to: Literal["integer", "number", "string", "boolean"]


Step: TypeAlias = Default | Drop | Rename | Widen | Wrap | Convert


class Adapter(msgspec.Struct, frozen=True):
    """Steps in the order in which they are taken. JSON by `msgspec.json.encode`, back by `read`."""

    steps: tuple[Step, ...] = ()


def read(document: bytes | str) -> Adapter:
    """An adapter from its JSON; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(document, type=Adapter)


def apply(adapter: Adapter, message: Json) -> Json:
    """The message after every step. The parts that no step touches are shared with the original."""
    for step in adapter.steps:
        message = change_at(message, step.at, functools.partial(changed, step))
    return message


def change_at(value: Json, at: Place, change: Callable[[Json], Json]) -> Json:
    if not at:
        return change(value)
    name, deeper = at[0], at[1:]
    if name is None:
        return [change_at(item, deeper, change) for item in value] if isinstance(value, list) else value
    if not isinstance(value, dict) or name not in value:
        return value
    return {**value, name: change_at(value[name], deeper, change)}


def changed(step: Step, value: Json) -> Json:
    """What one step makes of the value at its own place."""
    match step:
        case Wrap():
            return value if isinstance(value, list) else [value]
        case Widen():
            return _widened(value)
        case Convert():
            return _CONVERSIONS[step.to](value)
    return _changed_object(step, value) if isinstance(value, dict) else value


def _changed_object(step: Default | Drop | Rename, value: dict[str, Any]) -> dict[str, Any]:
    held = step.name in value
    match step:
        case Default():
            due = not held if step.when == "missing" else held and value[step.name] is None
            return {**value, step.name: step.value} if due else value
        case Drop():
            due = held and (step.when == "always" or value[step.name] is None)
            return {name: item for name, item in value.items() if name != step.name} if due else value
        case Rename():
            if not held or step.to in value:
                return value
            return {step.to if name == step.name else name: item for name, item in value.items()}
        case _:
            assert_never(step)


def _widened(value: Json) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        # By way of Decimal, because `str` refuses integers of more than 4,300 digits.
        return format(Decimal(int(value)), "f")
    return value


def _to_integer(value: Json) -> Json:
    if isinstance(value, float) and math.isfinite(value):
        return round(value)  # half to even, as IEEE 754 rounds
    if isinstance(value, str) and re.fullmatch(INTEGER_TEXT.strip("^$"), value, re.ASCII):
        return int(value)
    return value


def _to_number(value: Json) -> Json:
    if not isinstance(value, str) or not re.fullmatch(NUMBER_TEXT.strip("^$"), value, re.ASCII):
        return value
    return float(value) if "." in value else int(value)


def _to_string(value: Json) -> Json:
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return _widened(value)


def _to_boolean(value: Json) -> Json:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


_CONVERSIONS: dict[str, Callable[[Json], Json]] = {
    "integer": _to_integer,
    "number": _to_number,
    "string": _to_string,
    "boolean": _to_boolean,
}
