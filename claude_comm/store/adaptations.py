"""Adaptations: which adapter a consumer applied to which message, and what its steps are.

Law: the message itself is stored as it was sent. Few messages are adapted, so these have tables of their own; an event
that is folded twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.progress.events import Adapted, Handled
from claude_comm.progress.fold import Happened
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer


class Adaptation(msgspec.Struct, frozen=True):
    """A consumer had a message adapted. `steps` is the adapter as JSON; empty until its event is stored."""

    consumer: str
    adapter: str
    steps: str


_OF_MESSAGE = """
SELECT d.consumer, d.adapter, coalesce(a.steps, '') AS steps
FROM adapted AS d LEFT JOIN adapters AS a ON a.digest = d.adapter
WHERE d.message_id = ? AND d.source = ? ORDER BY d.consumer
"""


def add(writer: Writer, happened: Sequence[Happened]) -> None:
    """Stores what these events tell of adapters."""
    adapters, applied = [], []
    for fact in happened:
        event = fact.event
        if isinstance(event, Adapted):
            adapters.append((event.digest, event.steps))
        elif isinstance(event, Handled):
            applied += [
                (delivery.id, delivery.source, fact.module, delivery.adapter)
                for delivery in event.deliveries
                if delivery.adapter
            ]
    if adapters:
        writer.executemany("INSERT OR IGNORE INTO adapters VALUES (?, ?)", adapters)
    if applied:
        writer.executemany("INSERT OR REPLACE INTO adapted VALUES (?, ?, ?, ?)", applied)


def of_message(database: Database, message_id: str, source: str) -> list[Adaptation]:
    """By consumer."""
    return database.records(Adaptation, _OF_MESSAGE, (message_id, source))
