"""A search in payloads: a place, a comparison and a value, such as `$.order.total > 100`.

Law: total. A payload that does not have the place, or holds another kind of value there, does not match; an
expression that cannot be read is refused with the form that it should have.

    $.name = "Ann"     $.items[0].price >= 10     $.items[*].sku ~ A-1     $.note        (is there)
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError

_PLACE = r'\$(?:\["[^"]*"\]|\[[^\]"]*\]|[^\s=!<>~\[\]])*'
_EXPRESSION = re.compile(rf"\s*({_PLACE})\s*(?:(=|!=|>=|<=|>|<|~)\s*(\S.*?)\s*)?")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9}|\*)\]|\.?\[\"([^\"]*)\"\]")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_FORM = "write a place, and a comparison if need be: $.order.total > 100, $.items[*].sku ~ A-1, $.note."
Steps: TypeAlias = list[str | int | None]


def search(expression: str) -> Callable[[Any], bool]:
    """What tells whether a payload matches. Raises ConfigurationError."""
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise ConfigurationError(f"{expression!r} is no search: {_FORM}")
    steps, sign, value = _steps(match[1]), match[2], _value(match[3] or "")
    if sign is None:
        return lambda payload: any(True for _ in _at(payload, steps))
    if sign == "!=":
        return lambda payload: any(not _equal(held, value) for held in _at(payload, steps))
    compare = _comparison(sign)
    return lambda payload: any(compare(held, value) for held in _at(payload, steps))


def _comparison(sign: str) -> Callable[[Any, Any], bool]:
    if sign == "=":
        return _equal
    if sign == "~":
        return lambda held, value: _text(value).casefold() in _text(held).casefold()
    order = _ORDERS[sign]
    return lambda held, value: _comparable(held, value) and order(held, value)


def _steps(path: str) -> Steps:
    steps: Steps = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ConfigurationError(f"{path!r} is no place in a payload: {_FORM}")
        name, index, quoted = match.groups()
        steps.append((name or quoted) if index is None else None if index == "*" else int(index))
        at = match.end()
    return steps


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def _at(value: Any, steps: Steps) -> Iterator[Any]:
    """What stands at this place; several values where a step is `[*]`."""
    if not steps:
        yield value
        return
    for item in _items(value, steps[0]):
        yield from _at(item, steps[1:])


def _items(value: Any, step: str | int | None) -> Iterable[Any]:
    """What one step leads to: nothing, one value, or all of a list or an object."""
    if isinstance(value, dict):
        return value.values() if step is None else [value[step]] if step in value else []
    if isinstance(value, list):
        return value if step is None else value[step : step + 1] if isinstance(step, int) else []
    return []


def _equal(held: Any, value: Any) -> bool:
    """A number that was written as text is that text as well."""
    if isinstance(held, bool) or isinstance(value, bool):
        return held is value
    return bool(held == value) or (isinstance(held, str) and held == str(value))


def _comparable(held: Any, value: Any) -> bool:
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in (held, value))
    return numbers or (isinstance(held, str) and isinstance(value, str))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode(errors="replace")
