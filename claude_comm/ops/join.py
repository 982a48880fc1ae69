"""Joins: parts of one input, kept on the joining module's own hash tag until all have come.

Law: a part ends in the same step that keeps it, and the last one in the step that makes the whole message; so whoever
is killed leaves no part counted twice, and none lost. Where messages are signed, that last step is asked for twice,
since the server has no key: once for the message, and once with its seal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from claude_comm.effects import Argument, Operation, Script
from claude_comm.names import Keys
from claude_comm.ops.consume import Entry, Reader

# How long parts are kept after the last one came, unless the janitor sees that their session lives.
TTL_MS = 24 * 3600 * 1000

_UNSEALED = b"seal"

JoinOutcome: TypeAlias = Literal["waits", "joined", "lost", "failed", "skipped", "large"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part: `input` names the input and the step, `token` is a value or why there is none (see `lua/join.lua`);
    `head` is the whole message up to its payload, `names` are those of all parts in their order."""

    session: str
    input: str
    number: int
    token: bytes
    head: bytes
    names: tuple[str, ...]


# Seals a message that goes to that stream.
Seal: TypeAlias = Callable[[str, bytes], bytes]


def add(
    keys: Keys, reader: Reader, entry: Entry, part: Part, *, max_bytes: int, event: bytes, seal: Seal | None = None
) -> Operation[JoinOutcome]:
    """What came of the part, which was read from the inbox of the joining module. With `seal` the whole is sealed here
    before it is written: whoever is killed in between has written nothing."""
    names = [msgspec.msgpack.encode(name) for name in part.names]
    own: tuple[Argument, ...] = (part.input, part.number, len(part.names), part.token, TTL_MS, part.head)
    touched = (keys.join(reader.group, part.session), keys.inbox(reader.group), keys.events(reader.group))
    whole = b"" if seal is None else _UNSEALED
    while True:
        held = (max_bytes, event, reader.group, reader.consumer, entry.id, whole)
        answer = yield Script("join", touched, (*own, *held, *names))
        if seal is None or not isinstance(answer, list):
            break
        # The parts that are there stay as they are, so the second answer is another one.
        whole = seal(keys.inbox(reader.group), answer[1])
    outcome: JoinOutcome = answer.decode()
    return outcome
