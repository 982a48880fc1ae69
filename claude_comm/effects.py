"""What an operation asks of the server, as values.

Law: an operation is a generator that yields effects and receives their replies; it performs nothing. The two
drivers (blocking, asyncio) perform them, so each operation is written once.

| effect | reply |
| --- | --- |
| `Command` | the reply; an error reply is raised inside the operation |
| `Batch` | a list of replies in order, sent as one pipeline; an error reply is a `TransportError` in its place |
| `Script` | the reply of the Lua script, which the server runs as one atomic step |
| `Scripts` | a list of their replies in order; an error reply is a `TransportError` in its place |
| `Append` | a list of entry ids in order, as bytes; an error reply is a `TransportError` in its place |
| `Sign` | the values as they are to be stored, each with its seal; None where this client signs nothing |
| `SealEnvelope` | the envelope with its seal; as it was where this client signs nothing |
| `Believe` | for each value what of it may be believed; None for one that may not |
| `Pause` | None, when the time is over: waiting and trying again are operations too, written once |
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

Argument: TypeAlias = str | bytes | int | float
Place: TypeAlias = Literal["data", "control"]
# One command may read many streams on one server; on a cluster it may not cross slots.
Reach: TypeAlias = Literal["server", "cluster"]
# How long the server may take beyond what a command asked it to wait.
REPLY_WITHIN_MS = 10_000


class Command(msgspec.Struct, frozen=True):
    """One command. `on` is the server it goes to: messages on `data`; registry, heartbeats and jobs on `control`.

    `wait_ms` is how long the command itself asks the server to wait (the `BLOCK` of a read); `within_ms` is how long
    the server may take beyond that before it counts as unreachable.
    """

    args: tuple[Argument, ...]
    on: Place = "data"
    wait_ms: int = 0
    within_ms: int = REPLY_WITHIN_MS


class Batch(msgspec.Struct, frozen=True):
    """Commands that travel together. Each must keep to one hash tag; the batch need not.

    `wait_ms` is how long one of its commands itself asks the server to wait; `within_ms` is how long the server may
    take for all of them beyond that, whatever each of them says.
    """

    commands: tuple[Command, ...]
    on: Place = "data"
    wait_ms: int = 0
    within_ms: int = REPLY_WITHIN_MS


class Script(msgspec.Struct, frozen=True):
    """`ops/lua/NAME.lua`, whose header says what its keys and arguments are. All keys are of one hash tag."""

    name: str
    keys: tuple[str, ...]
    args: tuple[Argument, ...] = ()
    on: Place = "data"


class Scripts(msgspec.Struct, frozen=True):
    """Scripts that travel together, each an atomic step of its own. They are all of one name."""

    scripts: tuple[Script, ...]
    on: Place = "data"


class Post(msgspec.Struct, frozen=True, gc=False):
    """An encoded envelope, sealed or not (`security.sealed`), and the stream it goes to."""

    stream: str
    body: bytes


class Append(msgspec.Struct, frozen=True):
    """Entries for the ends of streams, in this order: the hot path of publishing, which drivers pack by hand.

    `within_ms` is how long the server may take for each part of them.
    """

    posts: Sequence[Post]
    within_ms: int = REPLY_WITHIN_MS


class Pause(msgspec.Struct, frozen=True):
    """Nothing is sent for so long."""

    seconds: float


class Sign(msgspec.Struct, frozen=True):
    """Values of these fields of a hash, to be stored together."""

    key: str
    values: tuple[tuple[str, bytes], ...]


class SealEnvelope(msgspec.Struct, frozen=True):
    """An envelope for a stream."""

    stream: str
    body: bytes


class Believe(msgspec.Struct, frozen=True):
    """What was read under these fields of a hash (None: nothing), and who may have written it, beside the services."""

    key: str
    values: tuple[tuple[str, bytes | None], ...]
    holders: tuple[str, ...] = ()


Vouching: TypeAlias = Sign | SealEnvelope | Believe
Effect: TypeAlias = Command | Batch | Script | Scripts | Append | Pause | Vouching
T = TypeVar("T")
# Replies are `Any` here, at the door: an operation turns each into a Struct on the line after it arrives.
Operation: TypeAlias = Generator[Effect, Any, T]
