"""Answers to requests: put where the publisher that asked reads, and taken from there.

Law: an answer of a module travels with the ack of its request and before it, so that a crash between the two repeats
the handler. A stream of replies exists from its first answer until its reader deletes what it has read, and at the
longest `TTL_MS` (`TASK_TTL_MS` for a task) after the last one: nobody has to clean up after a publisher that died. What
was read is deleted with the next read, so that every read begins at the stream's start: no position is kept that a
flushed or restored server could make wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.effects import Append, Batch, Command, Operation, Post
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys
from claude_comm.ops import door, news
from claude_comm.ops.heartbeats import ALIVE_MS
from claude_comm.ops.when_full import force_all
from claude_comm.security import sealed

TTL_MS = 60_000
# Of the replies to a task of an agent, which any process may ask for, or none for a while: such an instance begins so.
TASK_PREFIX, TASK_TTL_MS = "task-", 86_400_000
# How many answers one read takes.
COUNT = 500
# A consumer without heartbeats that has not asked for messages for longer than this is not waited for.
SILENT_MS = 600_000
# How long a publisher that closes waits for a server that does not answer: what it leaves there expires.
PARTING_WITHIN_MS = 1_000

# The id of an entry and its envelope; None for an entry without one.
Arrived: TypeAlias = list[tuple[bytes, bytes | None]]


def ask(
    keys: Keys, posts: Sequence[Post], unannounced: Collection[str], *, within_ms: int
) -> Operation[list[bytes | TransportError]]:
    """Sends requests; the server has that long to confirm them. What became of each, in order."""
    if unannounced:
        yield from news.announce(keys, unannounced, within_ms=within_ms)
    outcomes: list[bytes | TransportError] = yield Append(posts, within_ms)
    return outcomes


def responds(keys: Keys, module: str, now_ms: int) -> Operation[bool]:
    """Whether somebody may answer for the module: one that reads its inbox, or says that it lives.

    What an instance asked of the server last is known by the server's clock, so that a clock that is wrong makes nobody
    dead who reads; an instance that does not read (its handlers are slow, or it is paused) says that it lives.
    """
    words = ("XINFO", "CONSUMERS", keys.inbox(module), module)
    try:
        reply = yield Command(words)
    except ServerRefused as refusal:
        # No such stream, or no such group; another refusal (a permission) does not say that nobody is there.
        return refusal.code not in ("ERR", "NOGROUP")
    idle_ms = dict(map(door.consumer, reply))
    if not idle_ms:
        return False
    if min(idle_ms.values()) < ALIVE_MS:
        return True
    members = [f"{module}/{name}" for name in idle_ms]
    scores = yield Command(("ZMSCORE", keys.instances, *members), on="control")
    beats = [None if score is None else door.moment(score) for score in scores]
    return any(
        idle < SILENT_MS if beat is None else beat > now_ms - ALIVE_MS
        for idle, beat in zip(idle_ms.values(), beats, strict=True)
    )


class EncodedAnswer(msgspec.Struct, frozen=True, gc=False):
    """An encoded answer and the stream of replies that it goes to."""

    stream: str
    body: bytes


def answer(answer: EncodedAnswer, *, events: str, recorded: bytes) -> Operation[None]:
    """Sends one answer. A full server takes it too: what was handled must come to its end, or it would be handled again
    and again."""
    yield from force_all(*answering([answer], events=events, recorded=[recorded]))


def answering(answers: Sequence[EncodedAnswer], *, events: str, recorded: Sequence[bytes]) -> tuple[Command, ...]:
    """What sends these, each by one command, in their order; and then what records them among the events of the module
    that answers, for the projection."""
    sending = [Command(("XADD", answer.stream, "*", *sealed.fields(answer.body))) for answer in answers]
    recording = [Command(("XADD", events, "*", *sealed.fields(body))) for body in recorded]
    expiring = {answer.stream: None for answer in answers}
    return (*sending, *recording, *(Command(("PEXPIRE", stream, _ttl_ms(stream))) for stream in expiring))


def _ttl_ms(stream: str) -> int:
    return TASK_TTL_MS if stream.rpartition(":")[2].startswith(TASK_PREFIX) else TTL_MS


def collect(key: str, read: Sequence[bytes], *, block_ms: int, several: bool = False) -> Operation[Arrived]:
    """Deletes what was read before and takes what is there, waiting up to `block_ms` for the first answer (0: does not
    wait).

    The server ends a wait at the first of the answers that were sent together. With `several` it is asked once more
    right behind that, when it has stored the others; both replies begin at the stream's start, so the last has all.
    """
    # To the server, BLOCK 0 is a wait without an end.
    block = ("BLOCK", block_ms) if block_ms else ()
    reading = Command(("XREAD", "COUNT", COUNT, *block, "STREAMS", key, "0-0"), wait_ms=block_ms)
    commands = [Command(("XDEL", key, *read)), reading] if read else [reading]
    if several:
        commands.append(Command(("XREAD", "COUNT", COUNT, "STREAMS", key, "0-0")))
    reply = (yield Batch(tuple(commands), wait_ms=block_ms))[-1]
    if isinstance(reply, TransportError):
        raise reply
    return [(id_, _body(pairs)) for id_, pairs in reply[key.encode()]] if reply else []


def wake(key: str) -> Operation[None]:
    """Ends a read that waits, by an entry that is no answer."""
    commands = (Command(("XADD", key, "*", "w", "")), Command(("PEXPIRE", key, TTL_MS)))
    yield from _all(*commands, within_ms=PARTING_WITHIN_MS)


def leave(key: str) -> Operation[None]:
    yield Command(("UNLINK", key), within_ms=PARTING_WITHIN_MS)


def _body(pairs: Sequence[Any]) -> bytes | None:
    """The envelope, with its seal before it where it has one."""
    if len(pairs) == 2 and pairs[0] == b"e":
        body: bytes = pairs[1]
        return body
    named = dict(zip(pairs[::2], pairs[1::2], strict=True))
    found, seal = named.get(b"e"), sealed.seal_of(named)
    return found if found is None or seal is None or not seal.whole else sealed.join(found, seal)


def _all(*commands: Command, within_ms: int) -> Operation[None]:
    replies = yield Batch(commands, within_ms=within_ms)
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
