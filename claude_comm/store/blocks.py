"""The blocks of shapes, written by the folder and read by whoever looks for messages in them.

Law: a block goes when the last of its messages does. What it holds of values stands in these messages as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from claude_comm.impact.blocks import Block
from claude_comm.impact.observed import PathFacts
from claude_comm.impact.shapes import Key, Shape
from claude_comm.store.database import Database
from claude_comm.store.statements import Row, Writer

# A flow, by the numbers of its names: source, target, type, agreement, stream.
Heading: TypeAlias = tuple[int, int, int, int, int]

_COLUMNS = "id, base, first_us, last_us, facts, days, numbers"
_FLOW = "target = ? AND source = ? AND type = ? AND agreement = ? AND stream = ?"
_LATEST = f"""
SELECT key, {_COLUMNS} FROM packed_blocks WHERE id IN (SELECT max(id) FROM packed_blocks WHERE {_FLOW} GROUP BY key)
"""
_OF_SHAPE = """
SELECT id, base, first_us, last_us, facts, days FROM packed_blocks
WHERE target = (SELECT id FROM names WHERE name = ?) AND source = (SELECT id FROM names WHERE name = ?)
    AND type = (SELECT id FROM names WHERE name = ?) AND agreement = (SELECT id FROM names WHERE name = ?)
    AND stream = (SELECT id FROM names WHERE name = ?) AND key = ? AND last_us >= ?
ORDER BY last
"""
_INSERT = """
INSERT INTO packed_blocks (source, target, type, agreement, stream, key, base, last, first_us, last_us, facts, days,
    numbers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = "UPDATE packed_blocks SET last = ?, first_us = ?, last_us = ?, facts = ?, days = ?, numbers = ? WHERE id = ?"
_MOVE = f"UPDATE packed_blocks SET key = ? WHERE {_FLOW} AND key = ?"
_PRUNE = "DELETE FROM packed_blocks WHERE last < (SELECT coalesce(min(number), 9e18) FROM packed_messages)"
_ALL_KNOWN = """
SELECT (SELECT coalesce(min(number), 9e18) FROM packed_messages) > (SELECT blocks_after FROM shaped)
"""

_decode_facts = msgspec.msgpack.Decoder(PathFacts).decode
_decode_numbers = msgspec.msgpack.Decoder(list[int]).decode
_decode_days = msgspec.msgpack.Decoder(dict[int, int]).decode
_encode = msgspec.msgpack.Encoder().encode


def latest(database: Database, heading: Heading) -> dict[Key, Block]:
    """The last block of each shape of a flow."""
    return {row[0]: _block(row[1:]) for row in database.rows(_LATEST, _ordered(heading))}


def of_shape(database: Database, flow: Sequence[str], key: Key, *, since_us: int) -> list[Block]:
    """The blocks of a shape with messages since then, in the order in which these were stored, without the numbers of
    these. `flow` are the names of source, target, type, agreement and stream."""
    return [_block(row) for row in database.rows(_OF_SHAPE, (*_ordered(flow), bytearray(key), since_us))]


def numbers_of(database: Database, block: Block) -> list[int]:
    """The numbers of its messages."""
    ((base, numbers),) = database.rows("SELECT base, numbers FROM packed_blocks WHERE id = ?", (block.id,))
    return [base + offset for offset in _decode_numbers(numbers)]


def are_complete(database: Database) -> bool:
    """Whether every stored message that was folded is in a block; those of releases before blocks are not."""
    return bool(database.rows(_ALL_KNOWN)[0][0])


def move(writer: Writer, heading: Heading, gone: Mapping[Key, Key]) -> None:
    """Blocks follow their messages to the shape that these are of now."""
    moves = ((bytearray(after), *_ordered(heading), bytearray(before)) for before, after in gone.items())
    writer.executemany(_MOVE, moves)


def save(writer: Writer, heading: Heading, shape: Shape) -> None:
    """Writes the blocks that changed. The shape keeps the last while it has room."""
    for block in shape.blocks:
        if not block.id:
            block.base = block.numbers[0]
        values = (max(block.numbers), block.first_us, block.last_us, *_packed(block))
        if block.id:
            writer.execute(_UPDATE, (*values, block.id))
        else:
            cursor = writer.execute(_INSERT, (*heading, bytearray(shape.key), block.base, *values))
            block.id = cursor.lastrowid or 0
    shape.blocks = [block for block in shape.blocks[-1:] if block.room > 0]


def prune(writer: Writer) -> None:
    """Removes the blocks of which no message is there any more."""
    writer.execute(_PRUNE)


def _packed(block: Block) -> tuple[bytearray, bytearray, bytearray]:
    numbers = [number - block.base for number in block.numbers]
    return bytearray(_encode(block.facts)), bytearray(_encode(block.days)), bytearray(_encode(numbers))


def _ordered(heading: Sequence[object]) -> tuple[object, ...]:
    """As the index has them: the target first."""
    source, target, *rest = heading
    return (target, source, *rest)


def _block(row: Row) -> Block:
    id_, base, first_us, last_us, facts, days, *numbers = row
    return Block(
        id=id_,
        base=base,
        numbers=[base + offset for packed in numbers for offset in _decode_numbers(packed)],
        facts=_decode_facts(facts),
        first_us=first_us,
        last_us=last_us,
        days=_decode_days(days),
    )
