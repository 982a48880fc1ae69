"""Messages just outside a schema: each is refused by it, and one change away from a message that it allows.

Law: pure and in a fixed order. A candidate is a guess; what the schema allows is left out by the validator.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from claude_comm.schema.containment.boundary_values import harvest
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json
from claude_comm.testing.edges import can_travel, edges

# Messages to start from, and messages that are tried.
_STARTS, MAX_MESSAGES = 60, 2_000
_WRONG: tuple[Json, ...] = (None, True, 0, -1, 0.5, "", "a", "1", "\x00", [], [None], {}, {"a": 1}, 2**64 - 1, 1e300)


def outside(schema: Json) -> Iterator[Json]:
    """Messages that the schema refuses, none twice. Raises SchemaError for a schema that cannot be used."""
    validator = compile_validator(schema)
    named = harvest(schema)
    wrong = (*_WRONG, *named.numbers, *named.strings, *named.others)
    seen: set[bytes] = set()
    starts = list(itertools.islice(edges(schema), _STARTS))
    for message in itertools.chain(wrong, *(_changed(start, wrong) for start in starts)):
        text = msgspec.json.encode(message)
        if text in seen or validator.accepts(message) or not can_travel(message):
            continue
        seen.add(text)
        yield message
        if len(seen) >= MAX_MESSAGES:
            return


def _changed(message: Json, wrong: tuple[Json, ...]) -> Iterator[Json]:
    """The message with one place replaced, left out or added to."""
    match message:
        case dict():
            for name in message:
                yield {other: value for other, value in message.items() if other != name}
            yield {**message, "unknown": 1}
            for name, value in message.items():
                yield from ({**message, name: other} for other in (*wrong, *_changed(value, wrong)))
        case list():
            yield message[:-1]
            yield [*message, *message[-1:]]
            yield [*message, None]
            for place, value in enumerate(message[:4]):
                yield from (
                    [*message[:place], other, *message[place + 1 :]] for other in (*wrong, *_changed(value, wrong))
                )
        case str():
            yield from (message + "\n", " " + message, message[:-1], message.swapcase(), message * 2 + "a")
        case bool():
            pass
        case int() | float():
            yield from (message + 1, message - 1, message + 0.5, -message, str(message))
