"""The members of sessions: which instance opened which session, and how it ended.

Law: an event that arrives twice changes nothing. Where a process died without reporting an end, the projection that
misses its heartbeats reports one for it; an end that the process reported itself after all replaces it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from claude_comm import envelope as envelopes
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused
from claude_comm.ids import uuid7
from claude_comm.names import Keys
from claude_comm.ops import consume, heartbeats
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.progress.events import EVENT_TYPE, SessionEvent
from claude_comm.progress.fold import Happened
from claude_comm.store.absences import Absences
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer
from claude_comm.transport.driver import Client

_OPEN = """
INSERT INTO session_members (session, module, instance, opened_us) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_END = """
INSERT INTO session_members (session, module, instance, opened_us, ended_us, outcome, reason)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET ended_us = excluded.ended_us, outcome = excluded.outcome, reason = excluded.reason
WHERE ended_us IS NULL OR outcome = 'died'
"""
_LONG_OPEN = """
SELECT session, module, instance, opened_us FROM session_members WHERE ended_us IS NULL AND opened_us < ?
ORDER BY opened_us LIMIT 500
"""
_ENTROPY_BYTES = 8


def add(writer: Writer, happened: Sequence[Happened]) -> None:
    """Adds what new events say of sessions."""
    for fact in happened:
        event = fact.event
        if isinstance(event, SessionEvent) and fact.envelope.session:
            member = (fact.envelope.session, fact.module, event.instance, event.opened_us)
            if event.state == "started":
                writer.execute(_OPEN, member)
            else:
                writer.execute(_END, (*member, fact.envelope.time, event.outcome, event.reason))


def end_dead(
    client: Client, database: Database, keys: Keys, now_us: int, *, max_bytes: int, absences: Absences | None = None
) -> int:
    """Tells the end of sessions whose processes died; how many. With `absences`, of those that it has found absent
    before. Raises TransportError, StoreError."""
    rows = database.rows(_LONG_OPEN, (now_us - GONE_MS * 1000,))
    if not rows:
        return 0
    members = [f"{module}/{instance}" for _, module, instance, _ in rows]
    living = client.run(heartbeats.living(keys.session_members, members, now_ms=now_us // 1000))
    absent = {member for member in members if member not in living}
    if absences is not None:
        absent &= absences.again(absent)
    dead = [row for row, member in zip(rows, members, strict=True) if member in absent]
    for session, module, instance, opened_us in dead:
        event = SessionEvent("ended", instance, opened_us, "died", "its process gave no sign of life any more")
        body = envelopes.encode(_envelope(module, session, event, now_us), max_bytes=max_bytes)
        try:
            client.run(consume.record(keys, module, body))
        except ServerRefused:
            # A projection that may not write for other modules knows it all the same, and keeps it to itself.
            with database.write() as writer:
                writer.execute(_END, (session, module, instance, opened_us, now_us, event.outcome, event.reason))
    return len(dead)


def _envelope(module: str, session: str, event: SessionEvent, now_us: int) -> Envelope:
    """The same id whoever tells it, so that two projections that miss a process tell one event."""
    member = f"{session}\0{module}\0{event.instance}\0{event.opened_us}".encode()
    id_ = uuid7(event.opened_us, hashlib.sha256(member).digest()[:_ENTROPY_BYTES])
    data = envelopes.pack(event)
    return Envelope(id=id_, source=module, target=module, type=EVENT_TYPE, time=now_us, session=session, data=data)
