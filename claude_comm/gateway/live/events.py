"""Feeds as server-sent events: a topic, a session or everything, for whoever can read HTTP.

Law: the same feeds and the same bounded queues as over the WebSocket. What waits leaves as one write, whose last event
has the `id` to resume from: after a lost connection messages of that write may come again, and none is left out. The
`id` of each message tells copies apart.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from claude_comm.gateway.core.errors import GatewayRefusal, unusable
from claude_comm.gateway.live import positions
from claude_comm.gateway.live.feeds import Feed
from claude_comm.gateway.live.hub import Hub
from claude_comm.gateway.live.outbox import Outbox
from claude_comm.gateway.live.positions import Position
from claude_comm.gateway.live.tails import Item

MEDIA = "text/event-stream"
RETRY_MS = 500
# Proxies close what is silent for half a minute or so.
BEAT_S = 15.0
_SUB = "feed"


def event_id(places: Mapping[str, str]) -> str:
    """Where a feed is in all its streams, as one word."""
    return base64.urlsafe_b64encode(msgspec.json.encode(places)).decode().rstrip("=")


def places_of(id_: str) -> dict[str, Position]:
    """The positions that an event's `id` says. Raises GatewayRefusal."""
    try:
        padded = id_.encode("ascii") + b"=" * (-len(id_) % 4)
        places = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, str])
    except (msgspec.MsgspecError, binascii.Error, UnicodeError, ValueError):
        raise unusable("Last-Event-ID: it is the id of an event of this feed.") from None
    return {stream: positions.parse(text) for stream, text in places.items()}


class EventOutbox(Outbox):
    """What waits for a client of server-sent events."""

    async def _write_items(self, sub: str, items: list[Item], places: dict[str, str]) -> None:
        id_ = event_id({**self.sent.get(sub, {}), **places})
        parts = [b"data: %b\n\n" % item.json for item in items]
        parts[-1] = b"id: %b\n%b" % (id_.encode(), parts[-1])
        await self._body(b"".join(parts))

    async def _write(self, frame: dict[str, Any]) -> None:
        fields = {name: value for name, value in frame.items() if name != "kind"}
        if not fields:
            await self._body(b":\n\n")
            return
        id_ = event_id(self.sent.get(_SUB, {})).encode()
        event = frame["kind"].encode()
        await self._body(b"event: %b\nid: %b\ndata: %b\n\n" % (event, id_, msgspec.json.encode(fields)))

    async def _body(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


class EventStream(Response):
    """The answer that goes on until the client or the gateway ends it."""

    def __init__(self, hub: Hub, *, topic: str = "", session: str = "", oldest: bool = False, after: str = "") -> None:
        super().__init__(media_type=MEDIA)
        self._hub, self._topic, self._session, self._oldest = hub, topic, session, oldest
        self._after = places_of(after) if after else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._hub.gateway
        if gateway.draining:
            raise GatewayRefusal(503, "draining", "this gateway ends: ask again in a moment.", retry_s=1.0)

        async def out(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.close":
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        outbox = EventOutbox(out, gateway.options.limits)
        feed = Feed(self._hub.tails, gateway, outbox, _SUB, session=self._session)
        streams = [gateway.keys.topic(self._topic)] if self._topic else None
        begun = await feed.begin(streams, self._after, oldest=self._oldest)
        headers = [(b"content-type", MEDIA.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await send({"type": "http.response.body", "body": b"retry: %d\n" % RETRY_MS, "more_body": True})
        outbox.put({"kind": "subscribed", **begun})
        await self._until_it_ends(feed, outbox, receive)

    async def _until_it_ends(self, feed: Feed, outbox: EventOutbox, receive: Receive) -> None:
        self._hub.outboxes.add(outbox)
        feed.start()
        tasks = [asyncio.create_task(work) for work in (outbox.run(), _left(receive), _beating(outbox))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.outboxes.discard(outbox)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await feed.close()
        for task in tasks:
            if not task.cancelled():
                with suppress(OSError):
                    task.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _beating(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        outbox.put({"kind": "beat"})
