"""Deliveries that take long: since when their module has had them.

Law: a delivery is held from the event that tells so to its end; what was given up is held by nobody. After its end the
row stays: it parts the time in which the message waited from the time in which it was handled.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.progress.events import Cancelled, Delivered
from claude_comm.progress.fold import Happened
from claude_comm.store.name_table import NameTable
from claude_comm.store.packing import pack_id
from claude_comm.store.statements import Writer

_HOLD = """
INSERT INTO held (message_id, source, consumer, since_us) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET since_us = excluded.since_us
"""
_RELEASE = "DELETE FROM held WHERE message_id = ? AND source = ? AND consumer = ?"


def add(writer: Writer, names: NameTable, happened: Sequence[Happened]) -> None:
    """Keeps what new events say of deliveries that are being handled, or are no more."""
    for fact in happened:
        event = fact.event
        if isinstance(event, Delivered | Cancelled):
            texts = {fact.module, *(delivery.source for delivery in event.deliveries)}
            numbers = names.numbers(writer, texts)
            rows = [
                (pack_id(delivery.id), numbers[delivery.source], numbers[fact.module], delivery.settled_us)
                for delivery in event.deliveries
            ]
            if isinstance(event, Delivered):
                writer.executemany(_HOLD, rows)
            else:
                writer.executemany(_RELEASE, [row[:3] for row in rows])
