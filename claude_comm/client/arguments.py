"""Arguments of the clients, checked when they are given.

Law: a value of the wrong kind raises ConfigurationError, which names the argument, the value and what it takes. It
never becomes a message that nobody can decode, or ends a thread later.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from claude_comm.errors import ConfigurationError, shown
from claude_comm.names import check_name
from claude_comm.registry.versions import check_range

T = TypeVar("T")

DAY_S = 86_400.0
# The longest text of an envelope's field.
_MAX_TEXT = 256
MOST = sys.float_info.max


def check_number(name: str, value: Any, *, least: float = 0.0, most: float = MOST, of: str = "") -> float:
    """A finite number within these bounds; `of` is what it counts, such as `seconds`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        to = "up" if most == MOST else f"to {most:g}"
        raise ConfigurationError(f"{name} is {shown(value)}: it is a number{of and f' of {of}'} from {least:g} {to}.")
    return float(value)


def check_content(content: Any) -> Any:
    """A mapping, or an object of a class that has fields: a model, a dataclass, an attrs object, a Struct."""
    if not isinstance(content, Mapping) and not any(hasattr(type(content), fields) for fields in _FIELDS):
        raise ConfigurationError(
            f"content is a {content.__class__.__name__}: it must be a dict of names to values, or an object of a class "
            "with fields, such as a dataclass."
        )
    return content


_FIELDS = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")


def check_seconds(name: str, value: Any, *, least: float = 0.0, most: float = DAY_S) -> float:
    """A number of seconds within these bounds."""
    return check_number(name, value, least=least, most=most, of="seconds")


def check_count(name: str, value: Any, *, least: int = 0) -> int:
    """A whole number from `least` up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} is {shown(value)}: it is a whole number, at least {least}.")
    return value


def check_choice(name: str, value: T, choices: tuple[str, ...]) -> T:
    """One of these words."""
    if value not in choices:
        raise ConfigurationError(f"{name} is {shown(value)}: it is {' or '.join(map(repr, choices))}.")
    return value


def check_kind(name: str, value: Any, kind: type[T]) -> T:
    """An object of this class."""
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} is {shown(value)}: it is a {kind.__name__}.")
    return value


def check_file(name: str, value: Any) -> str:
    """The path of a file."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path:
        raise ConfigurationError(f"{name} is {shown(value)}: it is the path of a file.")
    return path


def check_topics(topics: Any) -> tuple[str, ...]:
    """Names of topics, given as a list."""
    return check_names("topics", topics, "topic", example="news")


def check_names(name: str, names: Any, what: str, *, example: str) -> tuple[str, ...]:
    """Names, given as a list: a text would be a list of letters."""
    if isinstance(names, str | bytes | Mapping) or not isinstance(names, Iterable):
        raise ConfigurationError(f"{name} is {shown(names)}: it is a list of names, such as [{example!r}].")
    return tuple(check_name(item, what) for item in names)


def check_ranges(name: str, ranges: Any) -> tuple[str, ...]:
    """Ranges of versions, given as a list."""
    if isinstance(ranges, str | bytes | Mapping) or not isinstance(ranges, Iterable):
        raise ConfigurationError(f"{name} is {shown(ranges)}: it is a list of version ranges, such as ['^1.2', '*'].")
    try:
        return tuple(map(check_range, ranges))
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def check_payloads(payloads: Any) -> list[Any]:
    """Payloads, given as a list: one that happens to be iterable would be taken apart."""
    if isinstance(payloads, str | bytes | bytearray | Mapping | type) or not isinstance(payloads, Iterable):
        raise ConfigurationError(f"payloads is {shown(payloads)}: it is a list of payloads; `publish` sends one.")
    return list(payloads)


def check_text(name: str, value: Any, *, least: int = 0) -> str:
    """Text that an envelope carries beside its payload."""
    if not isinstance(value, str) or not least <= len(value) <= _MAX_TEXT:
        start = f"{least} to" if least else "up to"
        raise ConfigurationError(f"{name} is {shown(value)}: it is text of {start} {_MAX_TEXT} characters.")
    return value


def check_words(**given: Any) -> None:
    """Texts of any length, by the names of the arguments."""
    for name, value in given.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{name} is {shown(value)}: it is text.")


def check_headers(headers: Any) -> dict[str, str]:
    """A copy of a mapping of text to text."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers is {shown(headers)}: it is a mapping of text to text.")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(f"headers has {shown(name)}: {shown(value)}: names and values are text.")
    return dict(headers)
