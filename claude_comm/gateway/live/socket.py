"""The WebSocket of the gateway: a plain ASGI callable, one object for each connection.

Law: nobody does anything before a token counts: that of the header, the cookie or the first frame. The protocol is
chosen before the connection is accepted: `claude-comm.v1`, or `cloudevents.json` with one event a text frame.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from claude_comm.cloudevents import value_shown
from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.core.errors import forbidden, no_more, too_large, unauthorised, unusable
from claude_comm.gateway.core.guard import deny
from claude_comm.gateway.core.principals import Principal, require_reading
from claude_comm.gateway.core.problems import problem_of
from claude_comm.gateway.live import frames, positions
from claude_comm.gateway.live.cloudevents_in import from_structured
from claude_comm.gateway.live.feeds import Feed
from claude_comm.gateway.live.frames import Frame
from claude_comm.gateway.live.hub import Hub
from claude_comm.gateway.live.inboxes import Inbox
from claude_comm.gateway.live.outbox import FAILED, UNAUTHORISED, ClientOutbox
from claude_comm.gateway.live.wire import EXTENSION

OURS, CLOUDEVENTS = "claude-comm.v1", "cloudevents.json"
# Requests of one client that wait for their replies at once.
_MOST_REQUESTS = 64


class Socket:
    """One connection."""

    def __init__(self, hub: Hub, scope: Scope, receive: Receive, send: Send) -> None:
        self._hub, self._scope, self._receive, self._send = hub, scope, receive, send
        self._limits = hub.gateway.options.limits
        self._principal: Principal | None = scope.get("principal")
        self._subscriptions: dict[str, Inbox | Feed] = {}
        self._requests: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the client or the gateway ends it."""
        await self._receive()  # websocket.connect
        offered = self._scope.get("subprotocols", [])
        chosen = next((name for name in offered if name in (OURS, CLOUDEVENTS)), None)
        if chosen is None or self._hub.gateway.draining or (chosen == CLOUDEVENTS and self._principal is None):
            await deny(self._send, problem_of(self._why_not(chosen)))
            return
        await self._send({"type": "websocket.accept", "subprotocol": chosen})
        wire = self._scope["extensions"][EXTENSION]
        wire.forget_handshake()
        self._plain = chosen == CLOUDEVENTS
        self._outbox = ClientOutbox(wire, self._limits, "events" if self._plain else "json")
        self._hub.outboxes.add(self._outbox)
        try:
            await self._read()
        finally:
            self._log_fault(sys.exc_info()[1])
            self._hub.outboxes.discard(self._outbox)
            self._hub.leave(self)
            for task in self._requests:
                task.cancel()
            for subscription in self._subscriptions.values():
                await self._end(subscription)

    def _log_fault(self, error: BaseException | None) -> None:
        """A fault of ours ends this connection and no other, and is not uvicorn's to log."""
        if error is not None and not isinstance(error, OSError | asyncio.CancelledError):
            self._hub.gateway.log.error("gateway.socket_failed", error=repr(error))
            self._outbox.close(FAILED, "the gateway failed at this; its log says why")

    def _why_not(self, chosen: str | None) -> ClaudeCommError:
        if chosen is None:
            return unusable(f"offer one of the subprotocols {OURS} and {CLOUDEVENTS}.")
        return unauthorised()

    async def recheck(self) -> None:
        """A token that was revoked ends what it opened; scopes are those of now."""
        assert self._principal is not None
        principal = await self._hub.gateway.still(self._principal)
        if principal is not None:
            self._principal = principal
        else:
            self._closed_early(no_more())

    async def _read(self) -> None:
        if self._plain:
            await self._feed_of_address()
        elif not await self._greeted():
            return
        self._hub.join(self)
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._answered(message.get("text"), message.get("bytes"))
            await self._outbox.room()

    async def _greeted(self) -> bool:
        """The first frame, which says who this is. False where it did not."""
        try:
            async with asyncio.timeout(self._limits.hello_s):
                message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return False
            frame = frames.decode(message.get("text"), message.get("bytes"), self._limits.json_depth)
            if not isinstance(frame, frames.Hello) or frame.format not in ("json", "msgpack"):
                raise unusable("the first frame is hello, with format json or msgpack.")
            if frame.token:
                self._principal = await self._hub.gateway.holder_of(frame.token)
            if self._principal is None:
                raise unauthorised("this token does not count: `claude-comm module add NAME` makes another.")
        except TimeoutError:
            self._closed_early(unauthorised("no hello came in time."))
            return False
        except ClaudeCommError as error:
            self._closed_early(error)
            return False
        self._outbox.form = frame.format  # type: ignore[assignment]
        limits = {"frame_bytes": self._limits.frame_bytes, "batch_messages": self._limits.batch_messages}
        known = {"module": self._principal.name, "scopes": sorted(self._principal.scopes), "limits": limits}
        self._outbox.put({"kind": "welcome", "ref": frame.ref, **known})
        return True

    def _closed_early(self, error: ClaudeCommError) -> None:
        self._outbox.put({"kind": "error", **msgspec.to_builtins(problem_of(error))})
        self._outbox.close(UNAUTHORISED, "nobody is known")

    async def _feed_of_address(self) -> None:
        """What a client of `cloudevents.json` follows, it says in the address."""
        asked = parse_qs(self._scope.get("query_string", b"").decode("latin-1"))
        topic = asked.get("topic", [""])[0]
        if topic:
            await self._answer(frames.Subscribe(sub=topic, topic=topic))

    async def _answered(self, text: str | None, packed: bytes | None) -> None:
        """Does what a frame says; its refusal is a frame, too."""
        ref: str | int = ""
        try:
            if len(text or packed or b"") > self._limits.frame_bytes:
                raise too_large("the frame", self._limits.frame_bytes)
            if self._plain:
                assert self._principal is not None
                await self._hub.sender.publish(self._principal, from_structured((text or "").encode(), self._limits))
                return
            frame = frames.decode(text, packed, self._limits.json_depth)
            ref = frame.ref
            await self._answer(frame)
        except ClaudeCommError as error:
            payload = _payload(frame) if not self._plain and "frame" in locals() else msgspec.UNSET  # pyright: ignore[reportPossiblyUnboundVariable]
            self._outbox.put({"kind": "error", "ref": ref, **msgspec.to_builtins(problem_of(error, payload))})

    async def _answer(self, frame: Frame) -> None:
        assert self._principal is not None
        if isinstance(frame, frames.Publish):
            await self._publish(frame)
        elif isinstance(frame, frames.Request):
            if len(self._requests) >= _MOST_REQUESTS:
                raise unusable(f"{_MOST_REQUESTS} requests wait already: wait for their replies.")
            task = asyncio.create_task(self._request(frame))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
        elif isinstance(frame, frames.Subscribe):
            await self._subscribe(frame)
        elif isinstance(frame, frames.Unsubscribe):
            await self._end(self._subscriptions.pop(frame.sub, None))
            self._outbox.put({"kind": "unsubscribed", "ref": frame.ref, "sub": frame.sub})
        elif isinstance(frame, frames.Hello):
            raise unusable("hello is the first frame, and comes once.")
        else:
            await self._settle(frame)

    async def _publish(self, frame: frames.Publish) -> None:
        assert self._principal is not None
        if len(frame.messages) > self._limits.batch_messages:
            raise unusable(f"a frame has at most {self._limits.batch_messages} messages.")
        results: list[dict[str, Any]] = []
        for message in frame.messages:
            try:
                results.append({"id": await self._hub.sender.publish(self._principal, message)})
            except ClaudeCommError as error:
                results.append({"error": msgspec.to_builtins(problem_of(error, message.data))})
        self._outbox.put({"kind": "published", "ref": frame.ref, "results": results})

    async def _request(self, frame: frames.Request) -> None:
        assert self._principal is not None
        try:
            data = await self._hub.sender.request(self._principal, frame.message, frame.timeout_s)
            # MessagePack has whatever a message may carry.
            shown = data if self._outbox.form == "msgpack" else value_shown(data)
            self._outbox.put({"kind": "reply", "ref": frame.ref, "data": shown})
        except ClaudeCommError as error:
            problem = problem_of(error, frame.message.data)
            self._outbox.put({"kind": "error", "ref": frame.ref, **msgspec.to_builtins(problem)})

    async def _subscribe(self, frame: frames.Subscribe) -> None:
        assert self._principal is not None
        if frame.sub in self._subscriptions or not frame.sub:
            raise unusable(f"there is a subscription {frame.sub!r} already: name each one of your own.")
        if len(self._subscriptions) >= self._limits.subscriptions:
            raise unusable(f"a connection has at most {self._limits.subscriptions} subscriptions.")
        if frame.inbox:
            await self._subscribe_inbox(frame)
            return
        if frame.topic:
            require_reading(self._principal, f"topic:{frame.topic}")
        elif frame.session or frame.feed:
            require_reading(self._principal)
        else:
            raise unusable("say what to follow: inbox, topic, session or feed.")
        feed = Feed(self._hub.tails, self._hub.gateway, self._outbox, frame.sub, session=frame.session)
        self._subscriptions[frame.sub] = feed
        after = {stream: positions.parse(text) for stream, text in frame.after.items()}
        streams = [self._hub.gateway.keys.topic(frame.topic)] if frame.topic else None
        answer = await feed.begin(streams, after, oldest=frame.start == "oldest")
        self._outbox.put({"kind": "subscribed", "ref": frame.ref, "sub": frame.sub, **answer})
        feed.start()

    async def _subscribe_inbox(self, frame: frames.Subscribe) -> None:
        assert self._principal is not None
        if not (self._principal.admin or (self._principal.is_module and self._principal.name == frame.inbox)):
            raise forbidden(f"{self._principal.name} takes messages out of its own inbox alone.")
        for topic in frame.topics:
            require_reading(self._principal, f"topic:{topic}")
        inbox = Inbox(self._hub.gateway, self._outbox, frame.sub, frame.inbox, frame.topics, frame.name, frame.credit)
        self._subscriptions[frame.sub] = inbox
        self._outbox.put({"kind": "subscribed", "ref": frame.ref, "sub": frame.sub})
        await self._hub.take(inbox, self._outbox)

    async def _settle(self, frame: frames.Ack | frames.Reply | frames.Retry | frames.Fail | frames.Credit) -> None:
        inbox = self._subscriptions.get(frame.sub)
        if not isinstance(inbox, Inbox):
            raise unusable(f"there is no subscription {frame.sub!r} to an inbox.")
        if isinstance(frame, frames.Ack):
            await inbox.ack(frame.deliveries)
        elif isinstance(frame, frames.Reply):
            await inbox.reply(frame.delivery, frame.data)
        elif isinstance(frame, frames.Retry):
            await inbox.retry(frame.delivery, frame.wait_s, frame.reason)
        elif isinstance(frame, frames.Fail):
            await inbox.fail(frame.delivery, frame.reason, frame.path)
        else:
            inbox.credit(frame.count)

    async def _end(self, subscription: Inbox | Feed | None) -> None:
        with suppress(ClaudeCommError):
            if isinstance(subscription, Inbox):
                await self._hub.release(subscription)
            elif subscription is not None:
                await subscription.close()


def _payload(frame: Frame) -> Any:
    return frame.message.data if isinstance(frame, frames.Request) else msgspec.UNSET
