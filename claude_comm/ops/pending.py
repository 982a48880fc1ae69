"""Pending deliveries: listed, claimed, renewed, given back, left to another version of the module, and counted.

Law: a delivery counts as handed out once more when `count` says so, and at no other moment. That is sent when a handler
is about to see it, and it sets a number instead of adding to one. So whatever else is sent any number of times, because
its reply was lost or its sender killed, is no attempt. (A server counts a first reading by itself. Where that never
arrived, the consumer gives it back as not handed out.) What finds that the stream has lost an entry returns its id:
the server forgets such a delivery when it is asked to move it, and would pass over it in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.errors import TransportError
from claude_comm.ops.consume import Entry, Reader, entry_of

T = TypeVar("T")
# Whose name deliveries wait under that were given back. It cannot be an instance's.
HEAP = "(given back)"
# Longer than any lease: a day.
_UNTOUCHED_MS = 86_400_000
# How many are given back or renewed in one step: the server does nothing else meanwhile.
STEP_LIMIT = 500


class PendingDelivery(msgspec.Struct, frozen=True):
    """A pending delivery and how often it was handed out."""

    id: str
    deliveries: int


class Claimed(msgspec.Struct, frozen=True):
    """What a claim returned: entries, each with the attempt that it would be now; the cursor to go on from; and ids
    that the stream no longer has."""

    entries: list[Entry]
    cursor: str
    lost: list[str]


def own(reader: Reader, *, cursor: str, count: int) -> Operation[tuple[list[PendingDelivery], str]]:
    """What is pending for this very consumer, after the cursor; the cursor of the answer is "" at the end."""
    rows = yield Command(("XPENDING", reader.stream, reader.group, f"({cursor}", "+", count, reader.consumer))
    deliveries = [PendingDelivery(id_.decode(), int(times)) for id_, _consumer, _idle, times in rows]
    return deliveries, deliveries[-1].id if len(deliveries) == count else ""


def claim(reader: Reader, *, lease_ms: int, cursor: str, count: int) -> Operation[Claimed]:
    """Takes over deliveries that nobody has finished for a lease."""
    command = ("XAUTOCLAIM", reader.stream, reader.group, reader.consumer, lease_ms, cursor, "COUNT", count, "JUSTID")
    following, ids, lost = yield Command(command)
    entries = yield from _entries(reader, [id_.decode() for id_ in ids])
    return Claimed(entries, following.decode(), [id_.decode() for id_ in lost])


def count(reader: Reader, entries: Sequence[Entry]) -> Operation[set[str]]:
    """Counts these as handed out, and starts their leases; the ids of those that are not ours any more."""
    gone: list[bytes] = []
    for part in _steps(entries):
        pairs = [word for entry in part for word in (entry.id, entry.deliveries)]
        gone += yield Script("hand_out", (reader.stream,), (reader.group, reader.consumer, *pairs))
    return {id_.decode() for id_ in gone}


def renew(reader: Reader, ids: Sequence[str]) -> Operation[None]:
    """Starts the lease of those of these deliveries anew that are still ours."""
    for start in range(0, len(ids), STEP_LIMIT):
        part = ids[start : start + STEP_LIMIT]
        yield Script("renew", (reader.stream,), (reader.group, reader.consumer, *part))


def give_back(reader: Reader, deliveries: Sequence[PendingDelivery]) -> Operation[list[str]]:
    """Makes those of these deliveries that are still ours claimable by others at once, with this count; the ids that
    the stream no longer has."""
    return _leave_to(HEAP, _UNTOUCHED_MS, reader, deliveries)


def hand_over(reader: Reader, entries: Sequence[Entry], digest: str) -> Operation[list[str]]:
    """Leaves deliveries to the version of the module with that digest, as if they had not been handed out. Where
    nobody of that version is there, they are claimed like any other when a lease is over. The ids that the stream no
    longer has."""
    return _leave_to(
        waiting_for(digest), 0, reader, [PendingDelivery(entry.id, entry.deliveries - 1) for entry in entries]
    )


def take(reader: Reader, digest: str, count: int, *, handed: bool = True) -> Operation[Claimed]:
    """The deliveries that other versions of the module left to the one with that digest; not `handed` where it is
    another that takes them, because nobody runs that version any more. The cursor is "" when these were all."""
    limit = min(count, STEP_LIMIT)
    words = (reader.group, reader.consumer, waiting_for(digest), limit)
    taken, lost = yield Script("take", (reader.stream,), words)
    entries = yield from _entries(reader, [id_.decode() for id_ in taken])
    if handed:
        entries = [msgspec.structs.replace(entry, handed=True) for entry in entries]
    return Claimed(entries, "-" if len(taken) + len(lost) == limit else "", [id_.decode() for id_ in lost])


def waiting_for(digest: str) -> str:
    """Whose name deliveries wait under that are for one version of the module. It cannot be an instance's."""
    return f"(for {digest[:16]})"


def _leave_to(holder: str, idle_ms: int, reader: Reader, deliveries: Sequence[PendingDelivery]) -> Operation[list[str]]:
    lost: list[bytes] = []
    for part in _steps(deliveries):
        pairs = [word for delivery in part for word in (delivery.id, delivery.deliveries)]
        lost += yield Script("give_back", (reader.stream,), (reader.group, reader.consumer, holder, idle_ms, *pairs))
    return [id_.decode() for id_ in lost]


def _steps(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    return (whole[start : start + STEP_LIMIT] for start in range(0, len(whole), STEP_LIMIT))


def _entries(reader: Reader, ids: Sequence[str]) -> Operation[list[Entry]]:
    """The entries of deliveries that are ours now, each with the attempt that it would be. One that was deleted a
    moment ago stays pending, until a claim finds that it is lost."""
    if not ids:
        return []
    asked = [
        Command(words)
        for id_ in ids
        for words in (("XPENDING", reader.stream, reader.group, id_, id_, 1), ("XRANGE", reader.stream, id_, id_))
    ]
    replies = yield Batch(tuple(asked))
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
    return [
        msgspec.structs.replace(entry_of(reader.stream, rows[0]), deliveries=int(pending[0][3]) + 1)
        for pending, rows in zip(replies[::2], replies[1::2], strict=True)
        if pending and rows
    ]
