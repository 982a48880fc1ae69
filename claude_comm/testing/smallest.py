"""Making a message that shows a failure smaller, step by step, while it still shows it.

Law: pure. Each step makes the message smaller by `size`, so that it ends; what comes out can be made no smaller by any
single step: no property and no item can go, no text and no number be shorter or nearer to zero.

hypothesis shrinks what it has drawn itself; a message that came from elsewhere, an edge of the contract or recorded
traffic, has no draws, and is made smaller here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.schema.verdict import Json

MAX_TRIES = 3_000
# What each kind of character becomes: a letter, a digit, a space, a letter beyond ASCII.
_PLAIN_CHARACTERS = "a0 é"
# Numbers with a fraction are tried by tenths up to here.
_MOST_TENTHS = 1e12
_PLAINEST: tuple[Json, ...] = (None, False, 0, "", [], {})


def smallest(message: Json, shows: Callable[[Json], bool], max_tries: int = MAX_TRIES) -> Json:
    """The smallest message near this one for which `shows` holds, which it does for the message itself."""
    left = max_tries
    better = True
    while better:
        better = False
        for smaller in _smaller(message):
            if size(smaller) >= size(message):
                continue
            if left <= 0:
                return message
            left -= 1
            if shows(smaller):
                message, better = smaller, True
                break
    return message


def size(message: Json) -> tuple[int, float, str]:
    """Of two messages the smaller one is shorter as JSON; of two as short, the one of smaller numbers, then by text."""
    text = msgspec.json.encode(message)
    return len(text), _magnitude(message), text.decode()


def _magnitude(message: Json) -> float:
    match message:
        case bool():
            return float(message)
        case int() | float():
            return abs(float(message))
        case str():
            # `a` is the plainest character, then the others of ASCII that can be seen.
            return float(sum(_plainness(character) for character in message))
        case list():
            return sum(map(_magnitude, message))
        case dict():
            return sum(map(_magnitude, message.values()))
    return 0.0


def _plainness(character: str) -> int:
    """The plainest characters first, then the others of ASCII that can be seen."""
    if character in _PLAIN_CHARACTERS:
        return _PLAIN_CHARACTERS.index(character)
    code = ord(character)
    return code if 32 < code < 127 else code + 1_000


def _smaller(value: Json) -> Iterator[Json]:
    yield from _PLAINEST
    match value:
        case bool():
            pass
        case int():
            yield from _nearer_zero(value)
        case float():
            yield from (int(value), round(value, 1), value / 2)
            if abs(value) < _MOST_TENTHS:
                yield from (tenths / 10 for tenths in _nearer_zero(round(value * 10)))
        case str():
            yield from _shorter(value)
        case list():
            yield from _fewer(value)
        case dict():
            yield from _barer(value)


def _nearer_zero(number: int) -> Iterator[int]:
    if number < 0:
        yield -number
    step = abs(number)
    while step:
        yield number - step if number > 0 else number + step
        step //= 2


def _shorter(text: str) -> Iterator[str]:
    step = len(text)
    while step:
        yield from (text[:start] + text[start + step :] for start in range(0, len(text), step))
        step //= 2
    yield "a" * len(text)
    for place, character in enumerate(text[:100]):
        for plainer in _PLAIN_CHARACTERS:
            if character != plainer:
                yield text[:place] + plainer + text[place + 1 :]


def _fewer(items: list[Any]) -> Iterator[Json]:
    step = len(items)
    while step:
        yield from (items[:start] + items[start + step :] for start in range(0, len(items), step))
        step //= 2
    yield from items
    for place, item in enumerate(items):
        yield from ([*items[:place], smaller, *items[place + 1 :]] for smaller in _smaller(item))


def _barer(members: dict[str, Any]) -> Iterator[Json]:
    for name in members:
        yield {other: value for other, value in members.items() if other != name}
    yield from members.values()
    for name, value in members.items():
        yield from ({**members, name: smaller} for smaller in _smaller(value))
