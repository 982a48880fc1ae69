"""How far each stream is folded.

Law: a checkpoint moves in the transaction that stores the rows before it, and no other. Ids count only within one
epoch: a stream whose ids moved backwards (its server was restored or flushed) begins a new epoch at its start, and a
page that was read in an older one is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from claude_comm.ids import position
from claude_comm.store.database import Database, Writer

__all__ = ["START", "Checkpoint", "begin", "load", "load_in", "position", "restart", "save_in"]

START = "0-0"


class Checkpoint(msgspec.Struct, frozen=True):
    """The last entry folded. `entries` is how many the stream had ever been given by then, as far as known."""

    epoch: int = 1
    entry_id: str = START
    entries: int = 0


def load(database: Database) -> dict[str, Checkpoint]:
    """All checkpoints, by stream key."""
    return _by_stream(database.rows("SELECT stream, epoch, entry_id, entries FROM checkpoints"))


def load_in(writer: Writer) -> dict[str, Checkpoint]:
    """The same inside a transaction: what it sees no other writer can change."""
    return _by_stream(writer.execute("SELECT stream, epoch, entry_id, entries FROM checkpoints"))


def save_in(writer: Writer, checkpoints: Mapping[str, Checkpoint]) -> None:
    writer.executemany(
        "INSERT INTO checkpoints (stream, epoch, entry_id, entries) VALUES (?, ?, ?, ?) ON CONFLICT (stream)"
        " DO UPDATE SET epoch = excluded.epoch, entry_id = excluded.entry_id, entries = excluded.entries",
        [(stream, point.epoch, point.entry_id, point.entries) for stream, point in checkpoints.items()],
    )


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
                key: Checkpoint(epoch=found.epoch + 1, entries=base)
                for key, (found, base) in stale.items()
                if known.get(key) == found
            },
        )


def _by_stream(rows: Iterable[tuple[str, int, str, int]]) -> dict[str, Checkpoint]:
    return {stream: Checkpoint(epoch, entry_id, entries) for stream, epoch, entry_id, entries in rows}
