"""Streams and groups: what waits, for how long, and who holds it."""

from __future__ import annotations

import msgspec

from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.names import Stream
from claude_comm.ops import follow, server
from claude_comm.ops.holders import GroupHold, held
from claude_comm.ops.server import StreamFacts
from claude_comm.store.catch_up import lags

# Streams that a page shows; of more, those in which something goes on come first.
PAGE = 50
# `messages` are inboxes and topics: what only the projection reads comes when it is asked for.
KINDS = ("messages", "inbox", "topic", "events")
SORTS = ("name", "waiting", "oldest", "entries", "dead")


class StreamRow(msgspec.Struct, frozen=True):
    """One stream, what is not in the projection of it yet, and its groups with who holds what."""

    stream: Stream
    facts: StreamFacts
    behind: int
    groups: list[GroupHold]

    @property
    def unread(self) -> bool:
        """Whether it is an inbox with messages that no module has ever read."""
        return self.stream.kind == "inbox" and not self.groups and self.facts.entries > 0

    @property
    def waiting(self) -> int:
        first = self.facts.entries if self.unread else 0
        return first + sum((group.lag or 0) + group.pending for group in self.groups) + self.facts.later

    @property
    def oldest_pending_ms(self) -> int:
        """When the oldest pending message came (ms); far away where there is none."""
        return min((group.oldest_ms for group in self.groups if group.oldest_ms is not None), default=2**62)


class Streams(msgspec.Struct, frozen=True):
    """A page of streams; `held` maps each reason why entries are kept to the streams. `after` is where the next page
    begins, -1 at the end."""

    sort: str
    kind: str
    find: str
    rows: list[StreamRow]
    held: dict[str, list[str]]
    of: int
    after: int


def view(system: System, query: PageAddress) -> Streams:
    sort, kind = query.choice("sort", SORTS), query.choice("kind", KINDS)
    find, start = query.text("find"), query.number("after")
    announced = [
        stream
        for stream in system.client.run(follow.announced(system.keys)).streams
        if (kind == stream.kind or (kind == "messages" and stream.kind != "events"))
        and find.casefold() in stream.name.casefold()
    ]
    ordered = announced if sort == "name" else _busy_first(system, announced)
    shown = ordered if sort != "name" and len(ordered) <= 4 * PAGE else ordered[start : start + PAGE]
    rows = sorted(_rows(system, shown), key=lambda row: _order(row, sort))
    if len(shown) > PAGE:
        rows = rows[start : start + PAGE]
    end = start + len(rows)
    return Streams(sort, kind, find, rows, _held(rows), len(announced), end if end < len(announced) else -1)


def _held(rows: list[StreamRow]) -> dict[str, list[str]]:
    """What keeps entries from being trimmed, with the streams: one reason often holds for all."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.facts.held:
            by_reason.setdefault(row.facts.held, []).append(f"{row.stream.name} {row.stream.kind}")
    return by_reason


def _busy_first(system: System, announced: list[Stream]) -> list[Stream]:
    busy = {
        stream.key for stream in system.client.run(server.busy(system.keys, announced, reach=system.client.data.reach))
    }
    return sorted(announced, key=lambda stream: stream.key not in busy)


def _rows(system: System, streams: list[Stream]) -> list[StreamRow]:
    client, keys = system.client, system.keys
    facts = client.run(
        server.streams(keys, streams, projection_wait_s=system.settings.projection_wait_s, now_ms=system.now_ms)
    )
    groups: dict[str, list[GroupHold]] = {}
    for group in client.run(held([stream.key for stream in streams])):
        groups.setdefault(group.stream, []).append(group)
    behind = lags(client, system.database, keys)
    return [
        StreamRow(stream, fact, behind.get(stream.key, 0), groups.get(stream.key, []))
        for stream, fact in zip(streams, facts, strict=True)
    ]


def _order(row: StreamRow, sort: str) -> tuple[int, str]:
    keys = {
        "waiting": -row.waiting,
        "oldest": row.oldest_pending_ms,
        "entries": -row.facts.entries,
        "dead": -row.facts.dead,
    }
    return keys.get(sort, 0), f"{row.stream.name} {row.stream.kind}"
