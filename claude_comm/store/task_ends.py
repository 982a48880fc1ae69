"""The end of tasks whose modules report no more.

Law: a task whose module has stopped, or died, is told as stopped, in the module's own stream, as the end of a session
is; told twice it is one event. A module that goes on with it says so, and that stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from claude_comm import envelope as envelopes
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused
from claude_comm.ids import uuid7
from claude_comm.names import Keys
from claude_comm.ops import consume, heartbeats
from claude_comm.ops.heartbeats import ALIVE_MS, GONE_MS
from claude_comm.progress.events import EVENT_TYPE, Lifecycle, TaskProgress
from claude_comm.progress.fold import Happened
from claude_comm.store import queries
from claude_comm.store.absences import Absences
from claude_comm.store.database import Database
from claude_comm.store.records import ProgressRow
from claude_comm.store.statements import Row, Writer
from claude_comm.transport.driver import Client

_LIVED = """
INSERT INTO lives (module, state, time_us) VALUES (?, ?, ?)
ON CONFLICT (module) DO UPDATE SET state = excluded.state, time_us = excluded.time_us
"""
# Modules of which something runs and nothing was heard for a while; programs that are no modules have no lives.
_QUIET = """
SELECT p.module, l.state FROM progress AS p INDEXED BY progress_running JOIN lives AS l ON l.module = p.module
WHERE p.state = 'running' AND p.time_us < ? AND l.time_us < ? AND NOT (p.total > 0 AND p.completed >= p.total)
GROUP BY 1 LIMIT 50
"""
_STOP = "UPDATE progress SET state = 'stopped', rate = 0, note = ? WHERE module = ? AND task = ? AND time_us = ?"
_NOTES = {"started": "its module died", "stopped": "its module was stopped"}
_ENTROPY_BYTES = 8


def add_lives(writer: Writer, happened: Sequence[Happened]) -> None:
    """Keeps what new events say of instances that start and stop."""
    for fact in happened:
        if isinstance(fact.event, Lifecycle):
            writer.execute(_LIVED, (fact.module, fact.event.state, fact.envelope.time))


def end_left(
    client: Client, database: Database, keys: Keys, now_us: int, *, max_bytes: int, absences: Absences | None = None
) -> int:
    """Tells the end of tasks that no instance of their module works on any more; how many. With `absences`, of modules
    that it has found absent before. Raises TransportError, StoreError."""
    since_us = now_us - GONE_MS * 1000
    quiet: dict[str, str] = dict(database.rows(_QUIET, (since_us, since_us)))
    absent = {module for module in quiet if not client.run(_living(keys, module, now_us // 1000))}
    if absences is not None:
        absent &= absences.again(absent)
    ended = 0
    for module in sorted(absent):
        left = [row for row in queries.progress(database, module=module) if row.runs and row.time_us < since_us]
        for row in left:
            _stop(client, database, keys, row, _NOTES[quiet[module]], now_us, max_bytes)
        ended += len(left)
    return ended


def _living(keys: Keys, module: str, now_ms: int) -> Operation[list[str]]:
    """As long as others take an instance for late, it may still work."""
    return heartbeats.instances_alive(keys, module, now_ms=now_ms - (GONE_MS - ALIVE_MS))


def _stop(
    client: Client, database: Database, keys: Keys, row: ProgressRow, note: str, now_us: int, max_bytes: int
) -> None:
    event = TaskProgress(
        row.task, row.completed, row.total, started_us=row.started_us, parent=row.parent, state="stopped", note=note
    )
    body = envelopes.encode(_envelope(row, event, now_us), max_bytes=max_bytes)
    try:
        client.run(consume.record(keys, row.module, body))
    except ServerRefused:
        # A projection that may not write for other modules knows it all the same, and keeps it to itself.
        values: Row = (note, row.module, row.task, row.time_us)
        with database.write() as writer:
            writer.execute(_STOP, values)


def _envelope(row: ProgressRow, event: TaskProgress, now_us: int) -> Envelope:
    """The same id whoever tells it, so that two projections that notice tell one event."""
    task = f"{row.module}\0{row.task}\0{row.time_us}".encode()
    id_ = uuid7(row.time_us, hashlib.sha256(task).digest()[:_ENTROPY_BYTES])
    module, data = row.module, envelopes.pack(event)
    return Envelope(id=id_, source=module, target=module, type=EVENT_TYPE, time=now_us, session=row.session, data=data)
