"""Adds a batch to the totals of its sessions.

Law: only ever called with facts that were new to the projection, in the transaction that stored them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from claude_comm.progress.events import MAX_COUNT
from claude_comm.progress.fold import SessionChange
from claude_comm.store.deliveries import SettledIn
from claude_comm.store.name_table import NameTable
from claude_comm.store.statements import Writer, insert_into
from claude_comm.store.timestamps import iso


class _SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    files_processed: int
    errors_encountered: int
    bytes_processed: int
    modules_active: str
    start_time: str | None
    end_time: str | None


_ADD = f"""
{insert_into("session_stats", _SessionRow)}
ON CONFLICT (session_id) DO UPDATE SET
    files_processed = min(files_processed + excluded.files_processed, {MAX_COUNT}),
    errors_encountered = min(errors_encountered + excluded.errors_encountered, {MAX_COUNT}),
    bytes_processed = min(bytes_processed + excluded.bytes_processed, {MAX_COUNT}),
    modules_active = excluded.modules_active,
    start_time = min(coalesce(start_time, excluded.start_time), coalesce(excluded.start_time, start_time)),
    end_time = max(coalesce(end_time, excluded.end_time), coalesce(excluded.end_time, end_time))
"""


def add(writer: Writer, names: NameTable, changes: Mapping[str, SessionChange], settled: Sequence[SettledIn]) -> None:
    """Adds what was sent and what happened, and what the consumers settled."""
    total = dict(changes)
    texts = names.texts(writer, (number for delivery in settled for number in (delivery.session, delivery.consumer)))
    for delivery in settled:
        change = total.setdefault(texts[delivery.session], SessionChange())
        change.errors += delivery.burials
        change.modules.add(texts[delivery.consumer])
    rows = [_row(writer, session, change) for session, change in total.items()]
    writer.executemany(_ADD, map(msgspec.structs.astuple, rows))


def modules(text: str) -> list[str]:
    """The names in a `modules_active` column; none where somebody else wrote what is no list of names."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return []


def _row(writer: Writer, session: str, change: SessionChange) -> _SessionRow:
    stored = writer.execute("SELECT modules_active FROM session_stats WHERE session_id = ?", (session,)).fetchone()
    active = change.modules.union(modules(stored[0]) if stored else ())
    return _SessionRow(
        session_id=session,
        files_processed=change.files,
        errors_encountered=change.errors,
        bytes_processed=change.bytes,
        modules_active=msgspec.json.encode(sorted(active)).decode(),
        start_time=None if change.start_us is None else iso(change.start_us),
        end_time=None if change.end_us is None else iso(change.end_us),
    )
