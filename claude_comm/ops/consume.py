"""Taking messages off streams: groups, reads, acks and burials.

Law: one stream a command, so that it holds on a cluster; `read_together` alone names several, and is for one server. A
delivery ends in the same breath as its event is written: the answer of a request, XACK and the event's XADD travel in
one batch, in this order. A burial is one Lua script, which only who still holds the delivery can run; from a topic,
which has another hash tag, the ack follows, and a crash between the two shows the message twice and never loses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.effects import Argument, Batch, Command, Operation, Script, SealEnvelope
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.names import Keys
from claude_comm.ops import news
from claude_comm.ops.replies import EncodedAnswer, answering, together
from claude_comm.ops.when_full import force, retry_if_full
from claude_comm.security import sealed
from claude_comm.security.signing import Seal

# A foreign writer may put anything there.
_FEW = re.compile(rb"[0-9]{1,9}")
_TAKEN = (bytes, int)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One stream entry as delivered; `body` is None when it has no envelope field.

    `deliveries` is how often this entry was handed out, `failures` how often the message was retried before it;
    `handed` says that another version of the module left it to this one. `head` is its seal without the place: one
    object for all that were signed together, so that a batch is held and let go without a seal for each.
    """

    stream: str
    id: str
    body: bytes | None
    deliveries: int = 1
    failures: int = 0
    handed: bool = False
    head: Seal | None = None
    place: bytes = b""

    @property
    def seal(self) -> Seal | None:
        """What stands beside the envelope."""
        return None if self.head is None else Seal(self.head.key, self.head.signature, self.place)

    @property
    def attempts(self) -> int:
        """The number of this attempt at the message, from 1."""
        return self.failures + self.deliveries


class Why(msgspec.Struct, frozen=True):
    """Why a delivery is buried: `path` is where in the payload, `schema_path` where in the schema that refused it;
    `traceback` is text, bounded by who gives it."""

    reason: str
    path: str = ""
    schema_path: str = ""
    traceback: str = ""


class Reader(msgspec.Struct, frozen=True):
    """Who reads what: a group's consumer on one stream."""

    stream: str
    group: str
    consumer: str


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What ends together on one stream: the entries to ack, and the events that say so.

    `answers` are to the requests among them, and `recorded` is what the events have of these. `handled` are to be known
    as handled in the sorted set `seen` for `seen_ms`, by a clock that shows `now_ms`.
    """

    ids: Sequence[str]
    events_stream: str
    events: Sequence[bytes]
    answers: Sequence[EncodedAnswer] = ()
    recorded: Sequence[bytes] = ()
    seen: str = ""
    handled: Sequence[str] = ()
    now_ms: int = 0
    seen_ms: int = 0


class SettlementOutcome(msgspec.Struct, frozen=True):
    """What refused a settlement, which is then to be sent again; and what refused answers for good, each for itself:
    their requesters' time runs out."""

    refused: TransportError | None
    unanswered: Sequence[ServerRefused] = ()


def announce(keys: Keys, streams: Sequence[str]) -> Operation[None]:
    """Lets the projection follow these streams."""
    known, _ = news.announcing(keys, streams)
    yield from force(known)
    yield from news.tell(keys, streams)


def record(keys: Keys, module: str, event: bytes) -> Operation[None]:
    """Writes an event of this module, also onto a full server: that an instance starts or stops is no load. One that is
    not sealed yet is sealed with the key of the client that runs this."""
    if event[:1] != sealed.MARK:
        event = yield SealEnvelope(keys.events(module), event)
    yield from announce(keys, [keys.events(module)])
    yield from force(Command(("XADD", keys.events(module), "*", *sealed.fields(event))))


def has_group(stream: str, group: str) -> Operation[bool]:
    (groups,) = yield Batch((Command(("XINFO", "GROUPS", stream)),))
    if isinstance(groups, TransportError):
        if "no such key" not in str(groups):
            raise groups
        return False
    return any(group_facts[b"name"] == group.encode() for group_facts in groups)


def sample_bytes(stream: str) -> Operation[int]:
    """How large the entries at both ends of the stream are: the larger one; 0 where there is none."""
    try:
        facts = yield Command(("XINFO", "STREAM", stream))
    except ServerRefused as refusal:
        if "no such key" not in str(refusal):
            raise
        return 0
    ends = [entry for entry in (facts[b"first-entry"], facts[b"last-entry"]) if entry]
    return max((sum(map(len, fields)) for _id, fields in ends), default=0)


def make_group(stream: str, group: str, position: str) -> Operation[None]:
    """Makes the group, and the stream where it is missing. One that another made meanwhile stays as it is."""
    try:
        yield from force(Command(("XGROUP", "CREATE", stream, group, position, "MKSTREAM")))
    except ServerRefused as refusal:
        if refusal.code != "BUSYGROUP":
            raise


def read(reader: Reader, *, count: int, block_ms: int, several: bool = False) -> Operation[list[Entry]]:
    """New entries; waits up to `block_ms` for the first one (0: does not wait), and for `several` that were sent
    together (see `_readings`)."""
    readings = _readings(reader, count, block_ms, several=several)
    if len(readings) == 1:
        return _entries(reader, (yield readings[0]))
    entries = _all_entries(reader, (yield Batch(readings, wait_ms=block_ms)))
    if isinstance(entries, TransportError):
        raise entries
    return entries


def read_together(
    readers: Sequence[Reader], *, count: int, block_ms: int
) -> Operation[list[tuple[Reader, list[Entry]]]]:
    """`read` of several streams of one server in one command: up to `count` of each, waiting for the first of all.

    The streams lie in several slots, so a cluster refuses it (CROSSSLOT): there it is `read_apart`.
    """
    first, *_ = readers
    streams = [reader.stream for reader in readers]
    block = ("BLOCK", block_ms) if block_ms else ()
    named = (*block, "STREAMS", *streams, *(">" for _ in streams))
    reply = yield Command(
        ("XREADGROUP", "GROUP", first.group, first.consumer, "COUNT", count, *named), wait_ms=block_ms
    )
    by_stream = reply or {}
    return [(reader, _entries(reader, by_stream)) for reader in readers if reader.stream.encode() in by_stream]


def read_apart(
    readers: Sequence[Reader], *, count: int
) -> Operation[tuple[list[tuple[Reader, list[Entry]]], TransportError | None]]:
    """`read` of several streams wherever they are, side by side and without waiting: up to `count` of each; and what
    a node refused, or did not answer, where another brought something. Else that is raised."""
    replies = yield Batch(tuple(Command(_reading(reader, count, 0)) for reader in readers))
    failed = next((reply for reply in replies if isinstance(reply, TransportError)), None)
    arrived = [
        (reader, _entries(reader, reply))
        for reader, reply in zip(readers, replies, strict=True)
        if reply and not isinstance(reply, TransportError)
    ]
    if failed is not None and not arrived:
        raise failed
    return arrived, failed


def tell(events_stream: str, event: bytes) -> Operation[None]:
    """Records an event of the reading module, also onto a full server."""
    yield from force(Command(("XADD", events_stream, "*", *sealed.fields(event))))


def seen(key: str, members: Sequence[str], *, since_ms: int) -> Operation[list[bool]]:
    """Which of these the module handled since then, whichever of its instances it was."""
    scores = yield Command(("ZMSCORE", key, *members))
    return [score is not None and float(score) >= since_ms for score in scores]


def settle(reader: Reader, settlement: Settlement) -> Operation[SettlementOutcome]:
    """Answers and acks these entries, and records it as events of the reading module."""
    commands = _settling(reader, settlement)
    return (yield from _outcome(settlement, commands, (yield Batch(commands))))


def answer_first(settlement: Settlement) -> Operation[tuple[SettlementOutcome, list[bool]]]:
    """Sends the answers of a settlement by themselves, for a cluster, whose nodes know no common order; which of them
    were taken, or refused for good."""
    commands = _answering(settlement)
    replies = yield Batch(commands)
    _, places = together(settlement.answers)
    over = [not isinstance(replies[place], ServerUnreachable) for place in places]
    return (yield from _outcome(settlement, commands, replies)), over


def settle_and_read(
    reader: Reader, settlement: Settlement, *, count: int, block_ms: int, several: bool = False
) -> Operation[tuple[SettlementOutcome, list[Entry] | TransportError]]:
    """`settle` and `read` in one round trip: how the settling went, and the entries or what refused them.

    The one does not wait for the other's answer, so entries may come although settling was refused.
    """
    readings = _readings(reader, count, block_ms, several=several)
    settling = _settling(reader, settlement)
    replies = yield Batch((*settling, *readings), wait_ms=block_ms)
    outcome = yield from _outcome(settlement, settling, replies[: len(settling)])
    return outcome, _all_entries(reader, replies[len(settling) :])


def bury(keys: Keys, reader: Reader, entry: Entry, why: Why, *, event: bytes) -> Operation[bool]:
    """Moves an entry to the dead stream of the reading module, with why; False if it is not ours any more."""
    fields: tuple[Argument, ...] = (
        *("e", entry.body or b"", "reason", why.reason, "path", why.path, "attempts", entry.attempts),
        *("schema_path", why.schema_path, "traceback", why.traceback, "stream", entry.stream, "entry", entry.id),
        *(sealed.seal_fields(entry.seal) if entry.seal else ()),
    )
    inbox = own_inbox(keys, reader)
    held = yield Script(
        "bury",
        (keys.dead(reader.group), keys.events(reader.group), *inbox),
        (event, reader.group, reader.consumer, entry.id, *fields),
    )
    if not inbox:
        yield Command(("XACK", reader.stream, reader.group, entry.id))
    return bool(held)


def own_inbox(keys: Keys, reader: Reader) -> tuple[str, ...]:
    """The stream, if it shares the hash tag of the module that reads it; nothing for a topic."""
    return (reader.stream,) if reader.stream == keys.inbox(reader.group) else ()


def leave(reader: Reader) -> Operation[None]:
    """Removes this consumer from its group if nothing is pending for it; what is pending waits for a claim."""
    pending = yield Command(("XPENDING", reader.stream, reader.group, "-", "+", 1, reader.consumer))
    if not pending:
        yield Command(("XGROUP", "DELCONSUMER", reader.stream, reader.group, reader.consumer))


def _settling(reader: Reader, settlement: Settlement) -> tuple[Command, ...]:
    """What was handled is known before it is acked: cut off in between, it is handed out again and passed over."""
    if not settlement.ids:
        return ()
    acks = Command(("XACK", reader.stream, reader.group, *settlement.ids))
    events = tuple(
        Command(("XADD", settlement.events_stream, "*", *sealed.fields(event))) for event in settlement.events
    )
    return (*_answering(settlement), *_remembering(settlement), acks, *events)


def _answering(settlement: Settlement) -> tuple[Command, ...]:
    if not settlement.answers:
        return ()
    return answering(settlement.answers, events=settlement.events_stream, recorded=settlement.recorded)


def _outcome(
    settlement: Settlement, commands: Sequence[Command], replies: Sequence[Any]
) -> Operation[SettlementOutcome]:
    """What a full server refused is sent again, because it is how it empties."""
    foreign = {answer.stream for answer in settlement.answers}
    unanswered: list[ServerRefused] = []
    for command, reply in zip(commands, replies, strict=True):
        if reply.__class__ in _TAKEN or not isinstance(reply, TransportError):
            continue
        try:
            yield from retry_if_full(command, reply)
        except ServerRefused as error:
            if command.args[1] not in foreign:
                return SettlementOutcome(error, unanswered)
            unanswered.append(error)
        except TransportError as error:
            return SettlementOutcome(error, unanswered)
    return SettlementOutcome(None, unanswered)


def _remembering(settlement: Settlement) -> tuple[Command, ...]:
    if not settlement.handled:
        return ()
    key, now_ms = settlement.seen, settlement.now_ms
    scored = [word for member in settlement.handled for word in (now_ms, member)]
    return (
        Command(("ZADD", key, *scored)),
        Command(("ZREMRANGEBYSCORE", key, "-inf", now_ms - settlement.seen_ms)),
        Command(("PEXPIRE", key, settlement.seen_ms)),
    )


def _readings(reader: Reader, count: int, block_ms: int, *, several: bool) -> tuple[Command, ...]:
    """What reads up to `count` new entries.

    The server ends a wait at the first of the entries that were sent together. For `several` it is asked once more
    right behind that, when it has stored the others: else these would take a round trip, and acks, of their own.
    """
    if not (several and block_ms and count > 1):
        return (Command(_reading(reader, count, block_ms), wait_ms=block_ms),)
    first = (count + 1) // 2
    return Command(_reading(reader, first, block_ms), wait_ms=block_ms), Command(_reading(reader, count - first, 0))


def _all_entries(reader: Reader, replies: Sequence[Any]) -> list[Entry] | TransportError:
    """The entries of reads one behind the other; what refused one where none brought any."""
    if len(replies) == 1 and not isinstance(replies[0], TransportError):
        return _entries(reader, replies[0])
    entries: list[Entry] = []
    refusal: TransportError | None = None
    for reply in replies:
        if isinstance(reply, TransportError):
            refusal = reply
        else:
            entries += _entries(reader, reply)
    return entries if entries or refusal is None else refusal


def _reading(reader: Reader, count: int, block_ms: int) -> tuple[str | int, ...]:
    block = ("BLOCK", block_ms) if block_ms else ()
    return (
        *("XREADGROUP", "GROUP", reader.group, reader.consumer, "COUNT", count),
        *(*block, "STREAMS", reader.stream, ">"),
    )


def _entries(reader: Reader, reply: Any) -> list[Entry]:
    """The entries of one stream; null when there are none.

    They are taken out of the reply, which whoever performs the read holds until all is done that comes of it: so the
    rows end here, while the processor's cache has them. A signed entry has twice as much of them as another.
    """
    if not reply:
        return []
    stream, rows = reader.stream, reply.pop(reader.stream.encode())
    if len(rows[0][1]) == _SEALED_FIELDS and (sealed_entries := _all_sealed(stream, rows)):
        return sealed_entries
    # In line for what nearly every entry is: one field, the envelope.
    return [
        Entry(stream, id_.decode(), pairs[1])
        if len(pairs) == 2 and pairs[0] == b"e"
        else entry_of(stream, (id_, pairs))
        for id_, pairs in rows
    ]


# What sealed envelopes have beside them, as it is written; of one that was signed alone there is no place.
_SEALED = ([b"e", b"k", b"s", b"p"], [b"e", b"k", b"s"])
_SEALED_FIELDS = 8
_NO_HEAD = Seal(b"", b"")


def _all_sealed(stream: str, rows: Sequence[tuple[bytes, list[bytes]]]) -> list[Entry]:
    """The entries, if all of them are envelopes that were signed together with others; else none."""
    head = _NO_HEAD
    try:
        entries = [
            Entry(
                stream,
                id_.decode(),
                body,
                1,
                0,
                False,
                head if signature == head.signature and key == head.key else (head := Seal(key, signature)),
                place,
            )
            for id_, (e, body, k, key, s, signature, p, place) in rows
            if e == b"e" and k == b"k" and s == b"s" and p == b"p"
        ]
    except ValueError:  # one of them has more or fewer fields
        return []
    return entries if len(entries) == len(rows) else []


def entry_of(stream: str, fields: tuple[bytes, list[bytes]]) -> Entry:
    """The entry of a row as XREADGROUP and XRANGE have it."""
    id_, pairs = fields
    if pairs[::2] in _SEALED:
        place = pairs[7] if len(pairs) > 6 else b""
        return Entry(stream, id_.decode(), pairs[1], head=Seal(pairs[3], pairs[5]), place=place)
    named = dict(zip(pairs[::2], pairs[1::2], strict=True))
    failures = named.get(b"a", b"")
    attempts = int(failures) if _FEW.fullmatch(failures) else 0
    seal = sealed.seal_of(named)
    place = seal.place if seal is not None else b""
    return Entry(stream, id_.decode(), named.get(b"e"), failures=attempts, head=seal, place=place)
