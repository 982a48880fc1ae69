"""Making a message that shows a failure smaller, step by step, while it still shows it.

Law: pure. Each step makes the message smaller by `size`, so that it ends; what comes out can be made no smaller by any
single step: no property and no item can go, no text and no number be shorter or nearer to zero. Where two numbers hold
each other up (a sum or a product that has to be large), a step makes the one larger and the other smaller.

hypothesis shrinks what it has drawn itself; a message that came from elsewhere, an edge of the contract or recorded
traffic, has no draws, and is made smaller here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.schema.verdict import Json

MAX_TRIES = 3_000
# What each kind of character becomes: a letter, a digit, a space, a letter beyond ASCII.
_PLAIN_CHARACTERS = "a0 é"
# Numbers with a fraction are tried by tenths up to here.
_MOST_TENTHS = 1e12
# Pairs are tried among so many whole numbers of a message.
_MOST_TRADED = 16
_FACTORS = (2, 3, 5, 10)
_PLAINEST: tuple[Json, ...] = (None, False, 0, "", [], {})


def smallest(message: Json, shows: Callable[[Json], bool], max_tries: int = MAX_TRIES) -> Json:
    """The smallest message near this one for which `shows` holds, which it does for the message itself."""
    left = max_tries
    better = True
    while better:
        better = False
        for smaller in itertools.chain(_smaller(message), _traded(message)):
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


def _traded(message: Json) -> Iterator[Json]:
    """The message with one whole number larger and another one smaller: by the same amount, or by a factor."""
    places = list(itertools.islice(_whole_numbers(message, ()), _MOST_TRADED))
    for (raised, more), (lowered, less) in itertools.permutations(places, 2):
        for new_more, new_less in _trades(more, less):
            yield _put(_put(message, raised, new_more), lowered, new_less)


def _trades(more: int, less: int) -> Iterator[tuple[int, int]]:
    # The largest number that is as long: longer ones make the message longer.
    full = 10 ** len(str(more)) - 1 - more
    amounts = [full] if 0 < full <= less else []
    step = less
    while step:
        amounts.append(step)
        step //= 2
    yield from ((more + amount, less - amount) for amount in amounts)
    yield from ((more * factor, -(-less // factor)) for factor in _FACTORS if more and less)


def _whole_numbers(value: Json, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The places of the numbers above zero, and those at zero, which may be raised."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        yield at, value
    elif isinstance(value, list | dict):
        items = enumerate(value) if isinstance(value, list) else value.items()
        for name, item in items:
            yield from _whole_numbers(item, (*at, name))


def _put(value: Any, at: tuple[str | int, ...], new: int) -> Json:
    """A copy with that number at that place."""
    if not at:
        return new
    copied: Any = list(value) if isinstance(value, list) else dict(value)
    copied[at[0]] = _put(copied[at[0]], at[1:], new)
    return copied
