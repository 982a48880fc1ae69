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

from claude_comm.gateway.core.errors import GatewayRefusal, no_more, unusable
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.options import Limits
from claude_comm.gateway.core.principals import Principal
from claude_comm.gateway.core.problems import Problem, problem_of
from claude_comm.gateway.live import positions
from claude_comm.gateway.live.batches import StreamBatch
from claude_comm.gateway.live.feeds import Feed
from claude_comm.gateway.live.hub import Hub
from claude_comm.gateway.live.positions import Position

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


class EventOutbox:
    """What waits for a client of server-sent events."""

    def __init__(self, send: Send, limits: Limits) -> None:
        self._send, self._limits = send, limits
        self._waiting: list[StreamBatch | dict[str, Any]] = []
        self._messages = self._bytes = 0
        self._closing = False
        self._ready = asyncio.Event()
        # By subscription and stream, what has left.
        self.sent: dict[str, dict[str, str]] = {}

    def put_batch(self, sub: str, batch: StreamBatch) -> None:
        """Messages of the feed."""
        if self._closing or not batch.items:
            return
        self._waiting.append(batch)
        self._messages += len(batch.items)
        self._bytes += batch.size
        if self._messages > self._limits.queue_messages or self._bytes > self._limits.queue_bytes:
            self._waiting = [entry for entry in self._waiting if not isinstance(entry, StreamBatch)]
            problem = Problem(429, "too_slow", "you read more slowly than messages come: connect again, and resume.")
            self.put({"kind": "error", **msgspec.to_builtins(problem)})
            self.close(0, "")
        self._ready.set()

    def put(self, frame_: dict[str, Any]) -> None:
        """An event by itself, named by its `kind`; one that says nothing keeps the connection open."""
        if not self._closing:
            self._waiting.append(frame_)
            self._ready.set()

    def close(self, code: int, reason: str) -> None:
        """Ends the answer once what waits has left."""
        self._closing = True
        self._ready.set()

    async def run(self) -> None:
        """Sends until the answer is ended."""
        while self._waiting or not self._closing:
            if not self._waiting:
                self._ready.clear()
                await self._ready.wait()
                continue
            waiting, self._waiting, self._messages, self._bytes = self._waiting, [], 0, 0
            for entry in waiting:
                if isinstance(entry, StreamBatch):
                    await self._body(self._messages_of(entry))
                else:
                    await self._body(self._event_of(entry))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _messages_of(self, batch: StreamBatch) -> bytes:
        places = self.sent.setdefault(_SUB, {})
        places[batch.stream] = batch.position
        parts = [b"data: %b\n\n" % item.json for item in batch.items]
        parts[-1] = b"id: %b\n%b" % (event_id(places).encode(), parts[-1])
        return b"".join(parts)

    def _event_of(self, frame_: dict[str, Any]) -> bytes:
        fields = {name: value for name, value in frame_.items() if name != "kind"}
        if not fields:
            return b":\n\n"
        id_, kind = event_id(self.sent.get(_SUB, {})).encode(), frame_["kind"].encode()
        return b"event: %b\nid: %b\ndata: %b\n\n" % (kind, id_, msgspec.json.encode(fields))

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
        outbox = EventOutbox(send, gateway.options.limits)
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
        await self._until_it_ends(feed, outbox, receive, scope["principal"])

    async def _until_it_ends(self, feed: Feed, outbox: EventOutbox, receive: Receive, principal: Principal) -> None:
        reader = _Reader(self._hub.gateway, principal, outbox)
        self._hub.outboxes.add(outbox)
        self._hub.join(reader)
        feed.start()
        tasks = [asyncio.create_task(work) for work in (outbox.run(), _left(receive), _beating(outbox))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.outboxes.discard(outbox)
            self._hub.leave(reader)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await feed.close()
        for task in tasks:
            if not task.cancelled():
                with suppress(OSError):
                    task.result()


class _Reader:
    """Who follows a feed, for as long as the token counts."""

    def __init__(self, gateway: Gateway, principal: Principal, outbox: EventOutbox) -> None:
        self._gateway, self._principal, self._outbox = gateway, principal, outbox

    async def recheck(self) -> None:
        if await self._gateway.still(self._principal) is None:
            self._outbox.put({"kind": "error", **msgspec.to_builtins(problem_of(no_more()))})
            self._outbox.close(0, "")


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _beating(outbox: EventOutbox) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        outbox.put({"kind": "beat"})
