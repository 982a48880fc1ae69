"""The shapes of stored payloads: folded from the messages after they were stored, and read back.

Law: each message is folded once. What a step folds is written in one transaction together with the number of the last
message that it folded; where another process was quicker, nothing is written. Storing messages costs nothing more: who
follows the streams folds when nothing comes, who asks for shapes folds what is left, and retention folds first what it
removes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.envelope import MSGPACK, UNREADABLE
from claude_comm.impact.blocks import DAY_US, Block
from claude_comm.impact.observed import PathFacts
from claude_comm.impact.sensitive import Marks
from claude_comm.impact.shapes import Key, Payload, Shape, Shapes
from claude_comm.store import blocks
from claude_comm.store.blocks import Heading
from claude_comm.store.database import Database
from claude_comm.store.packing import unpack_id
from claude_comm.store.statements import Row, Writer

# Messages of a step, in which a worker does nothing else: some tens of milliseconds of work, and a transaction of a
# few. Who waits for the result takes more at once, which is less work in all. Payloads of a step are held in memory.
STEP, LARGE_STEP, MAX_BYTES = 5_000, 20_000, 16 * 1024 * 1024
# Flows whose shapes are kept in memory from step to step.
_MAX_FLOWS = 2_000


class Flow(msgspec.Struct, frozen=True):
    """Who sends what type of message to whom, under which agreement (empty: none), on which stream."""

    source: str
    target: str
    type: str
    agreement: str
    stream: str


class FlowShapes(msgspec.Struct, frozen=True):
    """The shapes of one flow."""

    flow: Flow
    shapes: list[Shape]


class StoredMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of a flow; `value` is its payload as MessagePack has it, UNSET where that is not kept."""

    packed: bytes | str
    value: Any

    @property
    def id(self) -> str:
        # Of most messages nobody asks for it.
        return unpack_id(self.packed)


MarksOf: TypeAlias = Callable[[Flow], Marks]

_NEXT = """
SELECT number, source, target, type, agreement, stream, content_type, time_us, message_id, data, digest
FROM packed_messages WHERE number > ? ORDER BY number LIMIT ?
"""
_OF_FLOW = """
SELECT key, first_us, last_us, example_id, example, facts, days FROM packed_shapes
WHERE source = ? AND target = ? AND type = ? AND agreement = ? AND stream = ?
"""
_UPSERT = """
INSERT INTO packed_shapes (source, target, type, agreement, stream, key, messages, first_us, last_us, example_id,
    example, facts, days)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (target, source, type, agreement, stream, key) DO UPDATE SET
    messages = excluded.messages, first_us = excluded.first_us, last_us = excluded.last_us,
    example_id = excluded.example_id, example = excluded.example, facts = excluded.facts, days = excluded.days
"""
_DELETE = """
DELETE FROM packed_shapes WHERE source = ? AND target = ? AND type = ? AND agreement = ? AND stream = ? AND key = ?
"""
_READ = """
SELECT source.name, target.name, type.name, agreement.name, stream.name,
    s.key, s.first_us, s.last_us, s.example_id, s.example, s.facts, s.days
FROM packed_shapes AS s
JOIN names AS target ON target.id = s.target
JOIN names AS source ON source.id = s.source
JOIN names AS type ON type.id = s.type
JOIN names AS agreement ON agreement.id = s.agreement
JOIN names AS stream ON stream.id = s.stream
WHERE target.name = ? AND stream.name = ? AND s.last_us >= ?
ORDER BY source.name, type.name, agreement.name
"""
_MESSAGES = """
SELECT m.message_id, m.data, m.content_type, m.digest FROM packed_messages AS m
WHERE m.source = (SELECT id FROM names WHERE name = ?) AND m.target = (SELECT id FROM names WHERE name = ?)
    AND m.time_us >= ? AND m.type = (SELECT id FROM names WHERE name = ?)
    AND m.agreement = (SELECT id FROM names WHERE name = ?) AND m.stream = (SELECT id FROM names WHERE name = ?)
ORDER BY m.time_us DESC LIMIT ?
"""
_NUMBERED = """
SELECT m.message_id, m.data, m.content_type, m.digest FROM packed_messages AS m
WHERE m.number IN ({numbers}) AND m.time_us >= ? ORDER BY m.number
"""
_IDS_NUMBERED = """
SELECT message_id FROM packed_messages WHERE number IN ({numbers}) AND time_us >= ? ORDER BY number
"""
_decode = msgspec.msgpack.Decoder().decode
_decode_facts = msgspec.msgpack.Decoder(PathFacts).decode
_decode_days = msgspec.msgpack.Decoder(dict[int, int]).decode
_encode = msgspec.msgpack.Encoder().encode


class Folder:
    """Folds messages into shapes, step by step, and keeps the shapes that it works on. `marks_of` says what of a flow
    is sensitive; it is asked once a step."""

    def __init__(self, database: Database, marks_of: MarksOf) -> None:
        self.database, self._marks_of = database, marks_of
        self._at = -1
        self._flows: dict[Heading, Shapes] = {}

    def step(self, limit: int = STEP) -> int:
        """How many messages were folded, at most so many; 0 when none are left. Raises StoreError."""
        at = _folded_up_to(self.database)
        if at != self._at or len(self._flows) > _MAX_FLOWS:
            self._flows.clear()
        rows = self._next(at, limit)
        if not rows:
            return 0
        names = _names(self.database, {number for row in rows for number in (*row[1:6], row[6])})
        by_heading: dict[Heading, list[Row]] = {}
        for row in rows:
            by_heading.setdefault(row[1:6], []).append(row)
        for heading, of_flow in by_heading.items():
            flow = Flow(*(names[number] for number in heading))
            payloads = [_payload(row, names[row[6]]) for row in of_flow]
            self._shapes(heading).absorb(payloads, self._marks_of(flow))
        return self._write(at, rows[-1][0], list(by_heading), len(rows))

    def all(self) -> int:
        """Folds whatever there is; how many messages that were."""
        total = 0
        while folded := self.step(LARGE_STEP):
            total += folded
        return total

    def _next(self, at: int, limit: int) -> list[Row]:
        rows, size = [], 0
        for row in self.database.stream(_NEXT, (at, limit)):
            rows.append(row)
            size += len(row[9])
            if size > MAX_BYTES:
                break
        return rows

    def _shapes(self, heading: Heading) -> Shapes:
        if heading not in self._flows:
            rows = self.database.rows(_OF_FLOW, heading)
            open_blocks = blocks.latest(self.database, heading)
            self._flows[heading] = Shapes({row[0]: _shape(row, open_blocks.get(row[0])) for row in rows})
        return self._flows[heading]

    def _write(self, at: int, last: int, headings: Sequence[Heading], folded: int) -> int:
        with self.database.write() as writer:
            moved = writer.execute("UPDATE shaped SET number = ? WHERE number = ?", (last, at)).rowcount
            if moved:
                for heading in headings:
                    _save(writer, heading, self._flows[heading])
        self._at = last if moved else -1
        return folded


def of_target(database: Database, target: str, stream: str, *, since_us: int = 0) -> list[FlowShapes]:
    """The shapes of what was sent to a target since then. Raises StoreError."""
    flows: dict[Flow, list[Shape]] = {}
    # Days are whole: what was sent on the first of them counts.
    for row in database.rows(_READ, (target, stream, since_us // DAY_US * DAY_US)):
        flows.setdefault(Flow(*row[:5]), []).append(_shape(row[5:]))
    return [FlowShapes(flow, shapes) for flow, shapes in flows.items()]


def messages_of(database: Database, flow: Flow, *, since_us: int, limit: int) -> Iterator[StoredMessage]:
    """The stored messages of a flow, the latest first."""
    values = (flow.source, flow.target, since_us, flow.type, flow.agreement, flow.stream, limit)
    yield from _stored(database, database.stream(_MESSAGES, values))


def messages_numbered(database: Database, numbers: Sequence[int], *, since_us: int) -> Iterator[StoredMessage]:
    """Those of the messages with these numbers that are still there, and were sent since then."""
    statement = _NUMBERED.format(numbers=", ".join(map(str, numbers)))
    yield from _stored(database, database.stream(statement, (since_us,)))


def ids_numbered(database: Database, numbers: Sequence[int], *, since_us: int) -> Iterator[str]:
    """The ids of those of the messages with these numbers that are still there, and were sent since then."""
    statement = _IDS_NUMBERED.format(numbers=", ".join(map(str, numbers)))
    return (unpack_id(id_) for (id_,) in database.stream(statement, (since_us,)))


def _stored(database: Database, rows: Iterable[Row]) -> Iterator[StoredMessage]:
    formats = _names_of_formats(database)
    for packed, data, content_type, digest in rows:
        yield StoredMessage(packed, _value(data, formats.get(content_type, ""), digest))


def behind(database: Database) -> int:
    """How many stored messages are in no shape yet, or more."""
    ((last,),) = database.rows("SELECT coalesce(max(number), 0) FROM packed_messages")
    return max(0, int(last) - _folded_up_to(database))


def _folded_up_to(database: Database) -> int:
    ((number,),) = database.rows("SELECT number FROM shaped")
    return int(number)


def _names(database: Database, numbers: Iterable[int]) -> dict[int, str]:
    wanted = ", ".join(map(str, sorted(numbers)))
    return dict(database.rows(f"SELECT id, name FROM names WHERE id IN ({wanted})"))


def _names_of_formats(database: Database) -> dict[int, str]:
    return dict(database.rows("SELECT id, name FROM names WHERE name = ?", (MSGPACK,)))


def _payload(row: Row, content_type: str) -> Payload:
    *_, time_us, id_, data, digest = row
    return Payload(unpack_id(id_), time_us, _value(data, content_type, digest), row[0])


def _value(data: bytes, content_type: str, digest: object) -> Any:
    """The payload as MessagePack has it; UNSET for bytes of another format, and what is not kept or cannot be read."""
    if content_type != MSGPACK or digest:
        return msgspec.UNSET
    try:
        return _decode(data)
    except UNREADABLE:
        return msgspec.UNSET


def _shape(row: Row, block: Block | None = None) -> Shape:
    key, first_us, last_us, example_id, example, facts, days = row
    return Shape(
        key=key,
        facts=_decode_facts(facts),
        first_us=first_us,
        last_us=last_us,
        days=_decode_days(days),
        example_id=example_id,
        example=msgspec.json.decode(example) if example else msgspec.UNSET,
        blocks=[block] if block is not None else [],
    )


def _save(writer: Writer, heading: Heading, shapes: Shapes) -> None:
    writer.executemany(_DELETE, ((*heading, bytearray(key)) for key in shapes.gone))
    blocks.move(writer, heading, shapes.gone)
    writer.executemany(_UPSERT, (_row(heading, key, shapes.by_key[key]) for key in shapes.touched))
    for key in shapes.touched:
        blocks.save(writer, heading, shapes.by_key[key])
    shapes.gone.clear()
    shapes.touched.clear()


def _row(heading: Heading, key: Key, shape: Shape) -> Row:
    example = "" if shape.example is msgspec.UNSET else msgspec.json.encode(shape.example).decode()
    facts, days = bytearray(_encode(shape.facts)), bytearray(_encode(shape.days))
    times = (shape.first_us, shape.last_us)
    return (*heading, bytearray(key), shape.count, *times, shape.example_id, example, facts, days)
