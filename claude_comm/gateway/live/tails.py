"""Tails of streams: one reader for all clients of this gateway, whatever they follow.

Law: an entry is read, decoded and written as JSON once, for however many follow its stream, and nobody who follows is
waited for: a follower's `take` returns at once. A follower reads what it missed by itself, and joins the others where
they are: none before, none twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec

from claude_comm.cloudevents import cloudevent
from claude_comm.envelope import Envelope, decode
from claude_comm.errors import EnvelopeError, TransportError
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live.positions import Position, epoch_of
from claude_comm.ids import position as ordered
from claude_comm.ops import follow

PAGE = 500
# How long a read waits: a stream that is followed anew is read after that at the latest.
WAIT_MS = 200
_AWAY_S = 0.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Item:
    """One entry, for all who follow."""

    def __init__(self, stream: str, position: Position, envelope: Envelope | None) -> None:
        self.stream, self.position, self.envelope = stream, position, envelope

    @cached_property
    def event(self) -> dict[str, Any]:
        assert self.envelope is not None
        return event_of(self.envelope, stream=self.stream, entry=self.position.entry)

    @cached_property
    def json(self) -> bytes:
        return msgspec.json.encode(self.event)


def event_of(envelope: Envelope, **extensions: str | int) -> dict[str, Any]:
    """The message as a CloudEvent, its payload under `data`."""
    at = (_EPOCH + timedelta(microseconds=min(envelope.time, 253_402_300_799_000_000))).isoformat()
    return cloudevent(envelope, at.replace("+00:00", "Z"), **extensions)


def read_items(stream: str, entries: Iterable[tuple[bytes, Any]], after: Position, max_bytes: int) -> list[Item]:
    """Entries as they are handed to followers; one that is no message has no envelope."""
    items, added = [], after.added
    for id_, fields in entries:
        added += 1
        envelope = envelope_of(fields, max_bytes)
        epoch = epoch_of(envelope.id) if envelope else ""
        items.append(Item(stream, Position(id_.decode(), added, epoch), envelope))
    return items


def envelope_of(fields: Any, max_bytes: int) -> Envelope | None:
    """The envelope in the fields of an entry; None for what is none."""
    body = dict(zip(fields[::2], fields[1::2], strict=False)).get(b"e", b"")
    try:
        return decode(body, max_bytes=max_bytes)
    except EnvelopeError:
        return None


class Follower:
    """Who follows some streams: `take` is given items, and never waits."""

    def __init__(self, take: Callable[[list[Item]], None], positions: dict[str, Position]) -> None:
        self.take, self.positions = take, positions


class Tails:
    """The one reader."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._followers: dict[str, set[Follower]] = {}
        self._at: dict[str, Position] = {}
        self._task: asyncio.Task[None] | None = None
        self.read = 0

    async def join(self, follower: Follower, stream: str) -> None:
        """Reads what the follower has missed, then hands it what comes."""
        while True:
            mine = follower.positions[stream]
            shared = self._at.get(stream)
            if shared is not None and ordered(shared.entry) <= ordered(mine.entry):
                break
            page = (await self._gateway.client.run(follow.read({stream: mine.entry}, count=PAGE))).get(stream, ())
            if page:
                self._hand(follower, stream, read_items(stream, page, mine, self._max_bytes))
                await asyncio.sleep(0)
            elif stream not in self._at:
                self._at[stream] = mine
                break
        self._followers.setdefault(stream, set()).add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, follower: Follower) -> None:
        for stream in follower.positions:
            followers = self._followers.get(stream, set())
            followers.discard(follower)
            if not followers:
                self._followers.pop(stream, None)
                self._at.pop(stream, None)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _max_bytes(self) -> int:
        return self._gateway.settings.max_envelope_bytes

    async def _run(self) -> None:
        reach = self._gateway.settings.url.partition("://")[0]
        on_cluster = reach.endswith("+cluster")
        while self._followers:
            try:
                after = {stream: position.entry for stream, position in self._at.items()}
                pages = await self._gateway.client.run(
                    follow.read(after, count=PAGE, block_ms=WAIT_MS, reach="cluster" if on_cluster else "server")
                )
            except TransportError as error:
                self._gateway.log.warning("gateway.tails_away", error=str(error))
                await asyncio.sleep(_AWAY_S)
                continue
            for stream, entries in pages.items():
                at = self._at.get(stream)
                if at is None or at.entry != after[stream]:
                    continue  # nobody follows it any more, or somebody anew
                items = read_items(stream, entries, at, self._max_bytes)
                self._at[stream] = items[-1].position
                self.read += len(items)
                for follower in tuple(self._followers.get(stream, ())):
                    self._hand(follower, stream, items)
            await asyncio.sleep(0.02 if on_cluster and not pages else 0)

    def _hand(self, follower: Follower, stream: str, items: list[Item]) -> None:
        mine = ordered(follower.positions[stream].entry)
        if ordered(items[0].position.entry) <= mine:
            items = [item for item in items if ordered(item.position.entry) > mine]
        if items:
            follower.positions[stream] = items[-1].position
            follower.take(items)
