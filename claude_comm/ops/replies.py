"""Answers to requests: put where the publisher that asked reads, and taken from there.

Law: an answer of a module travels with the ack of its request and before it, so that a crash between the two repeats
the handler. Answers of one batch to one publisher travel in one entry, where its address says that it reads such; one
that is sealed has an entry to itself. A stream of replies exists from its first answer until its reader deletes what it
has read, and at the longest `TTL_MS` (`TASK_TTL_MS` for a task) after the last one: nobody has to clean up after a
publisher that died. What was read is deleted with the next read, so that every read begins at the stream's start: no
position is kept that a flushed or restored server could make wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.effects import Append, Batch, Command, Operation, Post
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys, is_name
from claude_comm.ops import door, news
from claude_comm.ops.heartbeats import ALIVE_MS
from claude_comm.ops.when_full import force_all
from claude_comm.security import sealed

TTL_MS = 60_000
# Of the replies to a task of an agent, which any process may ask for, or none for a while: such an instance begins so.
TASK_PREFIX, TASK_TTL_MS = "task-", 86_400_000
# So does an instance that reads several answers in one entry.
SEVERAL_PREFIX = "many-"
# The most answers in one entry; how large they may be together, and with the head of their array (bytes).
MOST_TOGETHER, MOST_TOGETHER_BYTES = 100, 32 * 1024
MOST_ENTRY_BYTES = MOST_TOGETHER_BYTES + 3
# How many entries one read takes.
COUNT = 500
# A consumer without heartbeats that has not asked for messages for longer than this is not waited for.
SILENT_MS = 600_000
# How long a publisher that closes waits for a server that does not answer: what it leaves there expires.
PARTING_WITHIN_MS = 1_000

# The id of an entry and what it holds: an envelope, or an array of them; None for an entry without one.
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
    """What sends these (see `together`); and then what records them among the events of the module that answers, for
    the projection."""
    sending, _ = together(answers)
    recording = [Command(("XADD", events, "*", *sealed.fields(body))) for body in recorded]
    expiring = {answer.stream: None for answer in answers}
    return (*sending, *recording, *(Command(("PEXPIRE", stream, _ttl_ms(stream))) for stream in expiring))


def together(answers: Sequence[EncodedAnswer]) -> tuple[list[Command], list[int]]:
    """The commands that send these, in their order, and by which of them each is sent."""
    if _are_one_entry(answers):
        bodies = [answer.body for answer in answers]
        return [Command(("XADD", answers[0].stream, "*", "e", _array(bodies)))], [0] * len(answers)
    entries: list[_Entry] = []
    places: list[int] = []
    filling: dict[str, tuple[int, _Entry]] = {}
    for answer in answers:
        place, entry = filling.get(answer.stream, _NONE_FILLING)
        if entry is None or not entry.takes(answer.body):
            place, entry = len(entries), _Entry(answer.stream)
            entries.append(entry)
            if _takes_several(answer):
                filling[answer.stream] = place, entry
        entry.add(answer.body)
        places.append(place)
    return [Command(("XADD", entry.stream, "*", *entry.fields())) for entry in entries], places


_NONE_FILLING: tuple[int, None] = (-1, None)


def _are_one_entry(answers: Sequence[EncodedAnswer]) -> bool:
    """Whether all of these travel together, as those of a batch nearly always do: known without a look at each."""
    return (
        1 < len(answers) <= MOST_TOGETHER
        and len({answer.stream for answer in answers}) == 1
        and sum([len(answer.body) for answer in answers]) <= MOST_TOGETHER_BYTES
        and _takes_several(answers[0])
        and sealed.MARK not in {answer.body[:1] for answer in answers}
    )


def _takes_several(answer: EncodedAnswer) -> bool:
    """Whether whoever reads this answer reads others in the same entry. One that is sealed is sealed by itself."""
    return _instance(answer.stream).startswith(SEVERAL_PREFIX) and answer.body[:1] != sealed.MARK


class _Entry:
    """Answers that travel together."""

    __slots__ = ("_bodies", "_size", "stream")

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._bodies: list[bytes] = []
        self._size = 0

    def takes(self, body: bytes) -> bool:
        return len(self._bodies) < MOST_TOGETHER and self._size + len(body) <= MOST_TOGETHER_BYTES

    def add(self, body: bytes) -> None:
        self._bodies.append(body)
        self._size += len(body)

    def fields(self) -> tuple[str | bytes, ...]:
        if len(self._bodies) == 1:
            return sealed.fields(self._bodies[0])
        return ("e", _array(self._bodies))


def _array(bodies: Sequence[bytes]) -> bytes:
    """A MessagePack array of these."""
    count = len(bodies)
    head = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return b"".join((head, *bodies))


def _ttl_ms(stream: str) -> int:
    return TASK_TTL_MS if _instance(stream).startswith(TASK_PREFIX) else TTL_MS


def _instance(stream: str) -> str:
    return stream.rpartition(":")[2]


def reading_instance(instance: str, *, several: bool) -> str:
    """The name under which an instance reads its replies: one that says whether it reads several in one entry, where
    there is room for that."""
    named = SEVERAL_PREFIX + instance
    return named if several and is_name(named) else instance


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
