"""Checkpoints as they were last read, remembered for one connection: with ten thousand streams, reading them all again
for each batch takes longer than storing it.

Law: what is remembered holds while no other connection has committed (`PRAGMA data_version`), and what this connection
saves is remembered with it; a transaction that was undone forgets all. Inside a transaction no other connection can
commit, so there it is what the database has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from claude_comm.store.statements import Writer

START = "0-0"
# Beyond so many, all are read: one statement cannot name them.
_MOST_NAMED = 500

_SELECT = "SELECT stream, epoch, entry_id, entries FROM checkpoints"


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """The last entry of one stream that is folded.

    `entries` is how many entries the stream had ever been given by then, as far as known.
    """

    epoch: int = 1
    entry_id: str = START
    entries: int = 0


class CheckpointCache:
    """The checkpoints of one connection, by stream key."""

    def __init__(self) -> None:
        self._points: dict[str, Checkpoint] = {}
        self._version: int | None = None
        self._moved: dict[str, Checkpoint] = {}

    def all(self, connection: Writer) -> dict[str, Checkpoint]:
        """All of them."""
        self._refresh(connection)
        return dict(self._points)

    def of(self, connection: Writer, streams: Collection[str]) -> dict[str, Checkpoint]:
        """Those of these streams."""
        if len(streams) > _MOST_NAMED or _data_version(connection) == self._version:
            self._refresh(connection)
            return {key: self._points[key] for key in streams if key in self._points}
        return _read(connection, f"{_SELECT} WHERE stream IN ({', '.join('?' * len(streams))})", tuple(streams))

    def save(self, points: Mapping[str, Checkpoint]) -> None:
        """This connection has written them, in a transaction that is not committed yet."""
        self._moved.update(points)
        if self._version is not None:
            self._points.update(points)

    def take_moved(self, connection: Writer) -> dict[str, Checkpoint]:
        """Those that changed since the last call, by whichever process; the first time all."""
        self._refresh(connection)
        moved, self._moved = self._moved, {}
        return moved

    def forget(self) -> None:
        """After a transaction that was undone. What had moved before is compared with the rows, and still returned by
        `take_moved`."""
        self._version = None

    def _refresh(self, connection: Writer) -> None:
        # Before the rows: what is committed between the two is read now, and read once more the next time.
        version = _data_version(connection)
        if version != self._version:
            points = _read(connection, _SELECT, ())
            known = self._points
            moved = {key: point for key, point in points.items() if known.get(key) != point} if known else points
            self._moved.update(moved)
            self._points, self._version = points, version


def _data_version(connection: Writer) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _read(connection: Writer, sql: str, values: tuple[str, ...]) -> dict[str, Checkpoint]:
    rows = connection.execute(sql, values).fetchall()
    return {stream: Checkpoint(epoch, entry_id, entries) for stream, epoch, entry_id, entries in rows}
