"""Arguments of the clients, checked when they are given.

Law: a value of the wrong kind raises ConfigurationError, which names the argument, the value and what it takes. It
never becomes a message that nobody can decode, or ends a thread later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name

DAY_S = 86_400.0
# The longest text of an envelope's field.
_MAX_TEXT = 256


def check_seconds(name: str, value: Any, *, least: float = 0.0, most: float = DAY_S) -> float:
    """A number of seconds within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}: it is a number of seconds from {least:g} to {most:g}.")
    return float(value)


def check_count(name: str, value: Any, *, least: int = 0) -> int:
    """A whole number from `least` up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} is {value!r}: it is a whole number, at least {least}.")
    return value


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name} is {value!r}: it is {' or '.join(map(repr, choices))}.")


def check_topics(topics: Any) -> tuple[str, ...]:
    """Names of topics, given as a list: a text would be a list of letters."""
    if isinstance(topics, str | bytes) or not isinstance(topics, Iterable):
        raise ConfigurationError(f"topics is {topics!r}: it is a list of names, such as [{str(topics)!r}].")
    return tuple(check_name(topic, "topic") for topic in topics)


def check_text(name: str, value: Any) -> str:
    """Text that an envelope carries beside its payload."""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ConfigurationError(f"{name} is {value!r:.80}: it is text of up to {_MAX_TEXT} characters.")
    return value


def check_headers(headers: Any) -> dict[str, str]:
    """A copy of a mapping of text to text."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers is {headers!r:.80}: it is a mapping of text to text.")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(f"headers has {name!r:.80}: {value!r:.80}: names and values are text.")
    return dict(headers)
