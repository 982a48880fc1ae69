"""Checkpoints: the position up to which each stream is folded.

Law: a checkpoint moves in the transaction that stores the rows before it, and no other. Ids count only within one
epoch: a stream whose ids moved backwards (its server was restored or flushed) begins a new epoch at its start, and a
page that was read in an older one is dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from claude_comm.ids import position
from claude_comm.store.checkpoint_cache import START, Checkpoint
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer, insert_into

__all__ = ["START", "Checkpoint", "begin", "load", "load_in", "position", "restart", "save_in"]


class _CheckpointRow(msgspec.Struct, frozen=True):
    stream: str
    epoch: int
    entry_id: str
    entries: int


_UPSERT = f"""
{insert_into("checkpoints", _CheckpointRow)} ON CONFLICT (stream) DO UPDATE SET
    epoch = excluded.epoch, entry_id = excluded.entry_id, entries = excluded.entries
"""


def load(database: Database, streams: Collection[str] | None = None) -> dict[str, Checkpoint]:
    """All checkpoints, by stream key; or those of these streams. Raises StoreError."""
    with database.read() as reader:
        return load_in(database, reader, streams)


def load_in(database: Database, writer: Writer, streams: Collection[str] | None = None) -> dict[str, Checkpoint]:
    """The same inside a transaction: what it sees no other writer can change."""
    cache = database.checkpoints
    return cache.all(writer) if streams is None else cache.of(writer, streams)


def save_in(database: Database, writer: Writer, checkpoints: Mapping[str, Checkpoint]) -> None:
    rows = [_CheckpointRow(stream, point.epoch, point.entry_id, point.entries) for stream, point in checkpoints.items()]
    writer.executemany(_UPSERT, map(msgspec.structs.astuple, rows))
    database.checkpoints.save(checkpoints)


def begin(database: Database, streams: Mapping[str, int]) -> None:
    """Puts a checkpoint at the start of streams not followed yet; the number is how many entries were trimmed off
    before. Those that another process has begun meanwhile stay as they are."""
    with database.write() as writer:
        known = load_in(database, writer, streams)
        new = {key: Checkpoint(entries=base) for key, base in streams.items() if key not in known}
        save_in(database, writer, new)


def restart(database: Database, stale: Mapping[str, tuple[Checkpoint, int]]) -> None:
    """Begins a new epoch for streams whose ids moved backwards, unless another process just did: the pair is the
    checkpoint that was found ahead of its stream, and how many entries were trimmed off that stream."""
    with database.write() as writer:
        known = load_in(database, writer, stale)
        moved = {
            key: Checkpoint(epoch=point.epoch + 1, entries=base)
            for key, (point, base) in stale.items()
            if known.get(key) == point
        }
        save_in(database, writer, moved)
