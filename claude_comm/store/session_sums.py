"""Adds a batch to the sessions' sums.

Law: only ever called with facts that were new to the projection, in the transaction that stored them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from claude_comm.progress.events import MAX_COUNT
from claude_comm.progress.fold import SessionChange
from claude_comm.store.database import Writer
from claude_comm.store.deliveries import SettledIn
from claude_comm.store.times import iso

_ADD = f"""
INSERT INTO session_stats
    (session_id, files_processed, errors_encountered, bytes_processed, modules_active, start_time, end_time)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE SET
    files_processed = min(files_processed + excluded.files_processed, {MAX_COUNT}),
    errors_encountered = min(errors_encountered + excluded.errors_encountered, {MAX_COUNT}),
    bytes_processed = min(bytes_processed + excluded.bytes_processed, {MAX_COUNT}),
    modules_active = excluded.modules_active,
    start_time = min(coalesce(start_time, excluded.start_time), coalesce(excluded.start_time, start_time)),
    end_time = max(coalesce(end_time, excluded.end_time), coalesce(excluded.end_time, end_time))
"""


def add(writer: Writer, changes: Mapping[str, SessionChange], settled: Iterable[SettledIn]) -> None:
    """Adds what was sent and what happened, and what the consumers settled."""
    total = dict(changes)
    for one in settled:
        change = total.setdefault(one.session, SessionChange())
        change.errors += one.burials
        change.modules.add(one.consumer)
    writer.executemany(_ADD, [_row(writer, session, change) for session, change in total.items()])


def modules(text: str) -> list[str]:
    """The names in a `modules_active` column; none where somebody else wrote what is no list of names."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return []


def _row(writer: Writer, session: str, change: SessionChange) -> tuple[object, ...]:
    row = writer.execute("SELECT modules_active FROM session_stats WHERE session_id = ?", (session,)).fetchone()
    active = change.modules.union(modules(row[0]) if row else ())
    return (
        session,
        change.files,
        change.errors,
        change.bytes,
        msgspec.json.encode(sorted(active)).decode(),
        None if change.start_us is None else iso(change.start_us),
        None if change.end_us is None else iso(change.end_us),
    )
