"""Joins: parts of one input, kept on the joining module's own hash tag until all have come: one from each of several
steps, which become an object, or the items of a list that was split, which become a list again.

Law: a part is kept in one step, the last one in the step that makes the whole message, and each is acked after that.
Keeping it twice is the same as once, so whoever is killed leaves no part counted twice, and none lost. Where messages
are signed, the last step is asked for twice, since the server has no key: for the message, and with its seal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from claude_comm.effects import Argument, Operation, Script, Scripts
from claude_comm.errors import TransportError
from claude_comm.names import Keys

# How long parts are kept after the last one came, unless the janitor sees that their session lives.
TTL_MS = 24 * 3600 * 1000

JoinOutcome: TypeAlias = Literal["waits", "joined", "failed", "skipped", "large"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of what `module` joins: `input` names the input and the step, `token` is a value or why there is none
    (see `lua/join.lua`); `head` is the whole message up to its payload, `names` are those of all parts in their
    order, and `items` says of how many items of a list this is one, 0 where it is none."""

    module: str
    session: str
    input: str
    number: int
    token: bytes
    head: bytes
    names: tuple[str, ...]
    items: int = 0


# Seals a message that goes to that stream.
Seal: TypeAlias = Callable[[str, bytes], bytes]

_UNSEALED = b"seal"


def add(
    keys: Keys, parts: Sequence[Part], *, max_bytes: int, seal: Seal | None = None
) -> Operation[list[JoinOutcome | TransportError]]:
    """What came of each part, in their order; a refusal in its place. The parts travel together.

    With `seal` a whole is sealed here before it is written: whoever is killed in between has written nothing.
    """
    outcomes: dict[int, JoinOutcome | TransportError] = {}
    wholes = dict.fromkeys(range(len(parts)), b"" if seal is None else _UNSEALED)
    while wholes:
        scripts = tuple(_script(keys, parts[at], max_bytes, whole) for at, whole in wholes.items())
        replies = yield Scripts(scripts)
        asked, wholes = list(wholes), {}
        for at, reply in zip(asked, replies, strict=True):
            if seal is not None and isinstance(reply, list):
                # The parts that are there stay as they are, so that the second reply is another one.
                wholes[at] = seal(keys.inbox(parts[at].module), reply[1])
            else:
                outcomes[at] = reply if isinstance(reply, TransportError) else reply.decode()
    return [outcomes[at] for at in range(len(parts))]


def _script(keys: Keys, part: Part, max_bytes: int, whole: bytes) -> Script:
    count = part.items or len(part.names)
    own: tuple[Argument, ...] = (part.input, part.number, count, part.token, TTL_MS, part.head, max_bytes, whole)
    touched = (keys.join(part.module, part.session), keys.inbox(part.module))
    return Script("gather", touched, own) if part.items else Script("join", touched, (*own, *_packed(part.names)))


@lru_cache(maxsize=1024)
def _packed(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(map(msgspec.msgpack.encode, names))
