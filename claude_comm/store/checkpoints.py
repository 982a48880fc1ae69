"""Checkpoints: the position up to which each stream is folded.

Law: a checkpoint moves in the transaction that stores the rows before it, and no other. Ids count only within one
epoch: a stream whose ids moved backwards (its server was restored or flushed) begins a new epoch at its start, and a
page that was read in an older one is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from claude_comm.ids import position
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer, insert_into, records

__all__ = ["START", "Checkpoint", "begin", "load", "load_in", "position", "restart", "save_in"]

START = "0-0"


class Checkpoint(msgspec.Struct, frozen=True):
    """The last entry of one stream that is folded.

    `entries` is how many entries the stream had ever been given by then, as far as known.
    """

    epoch: int = 1
    entry_id: str = START
    entries: int = 0


class _CheckpointRow(msgspec.Struct, frozen=True):
    stream: str
    epoch: int
    entry_id: str
    entries: int


_SELECT = "SELECT stream, epoch, entry_id, entries FROM checkpoints"
_UPSERT = f"""
{insert_into("checkpoints", _CheckpointRow)} ON CONFLICT (stream) DO UPDATE SET
    epoch = excluded.epoch, entry_id = excluded.entry_id, entries = excluded.entries
"""


def load(database: Database) -> dict[str, Checkpoint]:
    """All checkpoints, by stream key."""
    return _by_stream(database.records(_CheckpointRow, _SELECT))


def load_in(writer: Writer) -> dict[str, Checkpoint]:
    """The same inside a transaction: what it sees no other writer can change."""
    return _by_stream(records(writer.execute(_SELECT), _CheckpointRow))


def save_in(writer: Writer, checkpoints: Mapping[str, Checkpoint]) -> None:
    rows = [_CheckpointRow(stream, point.epoch, point.entry_id, point.entries) for stream, point in checkpoints.items()]
    writer.executemany(_UPSERT, map(msgspec.structs.astuple, rows))


def begin(database: Database, streams: Mapping[str, int]) -> None:
    """Puts a checkpoint at the start of streams not followed yet; the number is how many entries were trimmed off
    before. Those that another process has begun meanwhile stay as they are."""
    with database.write() as writer:
        known = load_in(writer)
        save_in(writer, {key: Checkpoint(entries=base) for key, base in streams.items() if key not in known})


def restart(database: Database, stale: Mapping[str, tuple[Checkpoint, int]]) -> None:
    """Begins a new epoch for streams whose ids moved backwards, unless another process just did: the pair is the
    checkpoint that was found ahead of its stream, and how many entries were trimmed off that stream."""
    with database.write() as writer:
        known = load_in(writer)
        save_in(
            writer,
            {
                key: Checkpoint(epoch=point.epoch + 1, entries=base)
                for key, (point, base) in stale.items()
                if known.get(key) == point
            },
        )


def _by_stream(rows: Iterable[_CheckpointRow]) -> dict[str, Checkpoint]:
    return {row.stream: Checkpoint(row.epoch, row.entry_id, row.entries) for row in rows}
