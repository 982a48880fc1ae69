"""Why a message did or did not arrive: the stages on its way, each with what is known of it.

Law: reads only. What happened is told from the projection; where a message that nobody has settled is, from the server
as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from claude_comm.charts.axes import duration_label
from claude_comm.effects import Command
from claude_comm.gateway.dashboard.query import link
from claude_comm.gateway.dashboard.system import System
from claude_comm.ids import position
from claude_comm.names import TOPIC_PREFIX
from claude_comm.ops import heartbeats, holders, lag, registry
from claude_comm.ops.lag import ConsumerGroup
from claude_comm.store.records import DeliveryRow, MessageRow

# Waiting messages are counted up to here.
_COUNTED = 10_000


class Stage(msgspec.Struct, frozen=True):
    """One step of a message's way: `tone` is `good` (done), `warn` (waits), `bad` (failed) or `plain`; `href` leads to
    more."""

    tone: Literal["good", "warn", "bad", "plain"]
    title: str
    text: str
    href: str = ""


def fate(system: System, row: MessageRow, deliveries: list[DeliveryRow]) -> list[Stage]:
    """From the sender on."""
    return [
        Stage("good", "sent", f"by {row.source} to {row.target} as {row.type}, {row.size_bytes:,} bytes"),
        _agreed(row),
        *_delivered(row, deliveries),
        *_undelivered(system, row, {delivery.consumer for delivery in deliveries}),
    ]


def _agreed(row: MessageRow) -> Stage:
    if not row.agreement:
        return Stage("plain", "no agreement", "sent without one: nothing was proved about its shape")
    return Stage("good", "agreed", "sent under an agreement", link("agreements", row.agreement))


def _delivered(row: MessageRow, deliveries: list[DeliveryRow]) -> Iterator[Stage]:
    for delivery in deliveries:
        took = duration_label(delivery.latency_ms)
        times = f", at attempt {delivery.attempts}" if delivery.attempts > 1 else ""
        place = f" (at {delivery.path})" if delivery.path else ""
        if delivery.status == "handled":
            yield Stage("good", f"handled by {delivery.consumer}", f"after {took}{times}")
        elif delivery.status == "retrying":
            text = f"attempt {delivery.attempts} failed: {delivery.reason or 'no reason was given'}{place}"
            yield Stage("warn", f"{delivery.consumer} will try again", text)
        else:
            text = f"after {took}{times}: {delivery.reason or 'no reason was given'}{place}"
            href = link("dead", module=delivery.consumer, type=row.type)
            yield Stage("bad", f"buried by {delivery.consumer}", text, href)


def _undelivered(system: System, row: MessageRow, settled: set[str]) -> Iterator[Stage]:
    """Where it is for those who should have it and have not settled it."""
    client, keys = system.client, system.keys
    stream = keys.stream(row.target)
    if row.stream and row.stream != stream:
        return
    groups = client.run(lag.groups([stream]))[stream]
    waiting = [group for group in groups if group.name not in settled]
    for group in waiting:
        yield _at_group(system, row, group)
    if not groups and not settled:
        yield _unread(system, row)
    if waiting and row.entry_id and not client.data.one(Command(("XRANGE", stream, row.entry_id, row.entry_id))):
        yield Stage("warn", "not in its stream", "it was trimmed, or waits elsewhere until it is due")


def _at_group(system: System, row: MessageRow, group: ConsumerGroup) -> Stage:
    client, keys, stream = system.client, system.keys, row.stream or system.keys.stream(row.target)
    held = client.run(holders.holder(stream, group.name, row.entry_id)) if row.entry_id else None
    if held is not None:
        consumer, idle_ms, times = held
        text = f"held by {consumer} for {duration_label(idle_ms)}, handed out {times} time{'s' if times != 1 else ''}"
        return Stage("warn", f"{group.name} works on it", text, link("streams", find=group.name))
    if row.entry_id and position(row.entry_id) <= position(group.last_id):
        return Stage("plain", f"handed to {group.name}", "and acknowledged; the projection has no outcome of it yet")
    ahead = client.run(lag.count(stream, f"({group.last_id}", f"({row.entry_id}")) if row.entry_id else 0
    alive = client.run(heartbeats.instances_alive(keys, group.name, now_ms=system.now_ms))
    who = f"{len(alive)} instance{'s' if len(alive) != 1 else ''} running" if alive else "no instance is running"
    return Stage(
        "warn" if alive else "bad",
        f"waits for {group.name}",
        f"behind {ahead:,} other{'s' if ahead != 1 else ''}; {who}",
        link("streams", find=group.name),
    )


def _unread(system: System, row: MessageRow) -> Stage:
    if row.target.startswith(TOPIC_PREFIX):
        return Stage("bad", "nobody reads the topic", f"no module has subscribed to {row.target}", link("topology"))
    known = system.client.run(registry.is_registered(system.keys, row.target))
    why = "it is registered, and has never run" if known else "no module of that name has registered"
    return Stage("bad", f"{row.target} has not read its inbox", why, link("topology"))
