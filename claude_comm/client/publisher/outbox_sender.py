"""Publishing through an outbox: kept first, sent next, forgotten when a projection has it.

Law: messages leave in the order in which they were kept: while an older one waits to be sent (the server did not
answer, the process died, the server lost it), newer ones wait behind it, and a thread sends them all. A message is
forgotten when a projection has told a position at or beyond its entry, the stream still holds that entry, and
`SETTLE_S` have passed, in which the server and the projection have reached their disks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from claude_comm.client.identity import Identity, micros, millis
from claude_comm.client.publisher.batching import OnFull
from claude_comm.client.publisher.outgoing import put_back, unreached
from claude_comm.effects import Post
from claude_comm.errors import (
    ConfigurationError,
    PublisherFull,
    ServerFull,
    ServerUnreachable,
    StoreError,
    TransportError,
)
from claude_comm.ops import projection_progress
from claude_comm.ops import publish as publishing
from claude_comm.ops.projection_progress import Stored
from claude_comm.ops.publish import Outcomes, without_room
from claude_comm.ops.registry import FORGET_MS
from claude_comm.store.checkpoints import START, position
from claude_comm.store.outbox import Kept, Outbox
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect

DEFAULT_MAX_OUTBOX_BYTES = 1024 * 1024 * 1024
# An append-only file that is flushed every second may be two seconds behind.
SETTLE_S = 5.0
# How often receipts are asked for, and how often every kept message is looked for in its stream.
REVIEW_S, AUDIT_S = 0.5, 30.0
_PAGE = 500
_ROOM_S = 0.05


class Outboxed:
    """The outbox of one publisher and the thread that sends what is behind and forgets what is stored."""

    def __init__(self, identity: Identity, path: str | Path, max_bytes: int, on_full: OnFull) -> None:
        if on_full == "drop_oldest":
            raise ConfigurationError('an outbox drops nothing: use on_full="wait" or "refuse" with it.')
        self.outbox = Outbox(path)
        self._identity, self._max_bytes, self._on_full = identity, max_bytes, on_full
        self._log = get_logger(identity.settings.log_level, module=identity.module)
        self._client = connect(identity.settings)
        self._lock = threading.Lock()
        self._in_flight: set[int] = set()
        # What an earlier process left is looked at before anything new is sent.
        self._behind = self.outbox.held_bytes > 0
        self._audit_at = 0.0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def deliver(self, posts: Sequence[Post], send: Callable[[Sequence[Post]], Outcomes]) -> Outcomes:
        """Keeps these and sends them; where the server does not answer, their sending is the thread's."""
        numbers = self._begin(posts)
        if not numbers:
            return _promised(posts)
        with self._postponed_on_error(numbers):
            try:
                outcomes = send(posts)
            except (ServerUnreachable, ServerFull):
                self._postpone(numbers)
                return _promised(posts)
        return self._finish(numbers, posts, outcomes)

    async def deliver_async(
        self,
        posts: Sequence[Post],
        send: Callable[[Sequence[Post]], Awaitable[Outcomes]],
        aside: Callable[..., Awaitable[list[int]]],
    ) -> Outcomes:
        """The asyncio twin; `aside` runs a blocking function beside the event loop."""
        numbers = await aside(self._begin, posts)
        if not numbers:
            return _promised(posts)
        with self._postponed_on_error(numbers):
            try:
                outcomes = await send(posts)
            except (ServerUnreachable, ServerFull):
                self._postpone(numbers)
                return _promised(posts)
        return self._finish(numbers, posts, outcomes)

    def close(self) -> None:
        """Ends the thread; what is not stored yet stays for the next publisher with this outbox."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._client.close()
        self.outbox.close()

    def _begin(self, posts: Sequence[Post]) -> list[int]:
        """Keeps these; their numbers if they may be sent now, none if older ones are still to be sent."""
        self._make_room()
        with self._lock:
            numbers = self.outbox.keep(posts, micros())
            if not self._behind:
                self._in_flight.update(numbers)
                return numbers
        self._wake.set()
        return []

    def _finish(self, numbers: Sequence[int], posts: Sequence[Post], outcomes: Outcomes) -> Outcomes:
        """What was refused is not kept: its publisher is told. What landed is kept until it is stored.

        What went to a node that did not answer, while others of its cluster did, or that had no memory for it, is the
        thread's.
        """
        missed = {*unreached(outcomes), *without_room(outcomes)}
        if missed:
            self._postpone([numbers[place] for place in missed])
            kept = [place for place in range(len(posts)) if place not in missed]
            told = self._finish([numbers[n] for n in kept], [posts[n] for n in kept], [outcomes[n] for n in kept])
            promised = _promised(posts)
            put_back(promised, kept, told)
            return promised
        pairs = list(zip(numbers, posts, outcomes, strict=True))
        self.outbox.landed((number, outcome.decode()) for number, _, outcome in pairs if isinstance(outcome, bytes))
        self.outbox.drop({number: len(post.body) for number, post, told in pairs if not isinstance(told, bytes)})
        with self._lock:
            self._in_flight.difference_update(numbers)
        return outcomes

    def _postpone(self, numbers: Sequence[int]) -> None:
        with self._lock:
            self._in_flight.difference_update(numbers)
            self._behind = True
        self._wake.set()

    @contextmanager
    def _postponed_on_error(self, numbers: Sequence[int]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._postpone(numbers)
            raise

    def _make_room(self) -> None:
        """Waits for receipts, or refuses, as `on_full` says. Raises PublisherFull."""
        while self.outbox.held_bytes >= self._max_bytes:
            if self._on_full == "refuse" or self._stop.is_set():
                raise PublisherFull("this message was not taken into the outbox", self._max_bytes)
            self._wake.set()
            self._stop.wait(_ROOM_S)

    def _run(self) -> None:
        reached = True
        while not self._stop.is_set():
            try:
                self._review()
                self._catch_up()
                reached = True
            except (TransportError, StoreError) as error:
                if reached:
                    self._log.warning("outbox.waiting", error=str(error))
                reached = False
            self._wake.wait(REVIEW_S)
            if not reached:
                self._stop.wait(REVIEW_S)
            self._wake.clear()

    def _review(self) -> None:
        """Forgets what is stored; what the server has lost is to be sent again.

        A look ends with the first page of which a projection has nothing: what comes later it has even less. An audit
        looks at all, because what a server loses nobody tells.
        """
        told = self._client.run(projection_progress.reported(self._identity.keys, since_ms=millis() - FORGET_MS))
        audit = time.monotonic() >= self._audit_at
        if audit:
            self.outbox.not_after(micros())
        before_us, after = micros() - int(SETTLE_S * 1e6), 0
        while rows := self.outbox.sent(after=after, before_us=before_us, limit=_PAGE):
            after = rows[-1].number
            looked_at = rows if audit else [row for row in rows if _covered(row, told)]
            if not looked_at:
                break
            self._examine(looked_at, told)
        if audit:
            self._audit_at = time.monotonic() + AUDIT_S

    def _examine(self, rows: Sequence[Kept], told: Sequence[Stored]) -> None:
        bodies = self._client.run(projection_progress.present([(row.stream, row.entry_id) for row in rows]))
        lost = [row for row, body in zip(rows, bodies, strict=True) if body != row.body]
        held = [row for row, body in zip(rows, bodies, strict=True) if body == row.body]
        self.outbox.drop({row.number: len(row.body) for row in held if _covered(row, told)})
        if lost:
            self._log.warning("outbox.lost_by_the_server", messages=len(lost))
            self.outbox.landed((row.number, "") for row in lost)
            with self._lock:
                self._behind = True

    def _catch_up(self) -> None:
        """Sends what is behind, in order, until nothing is."""
        while self._behind and not self._stop.is_set():
            with self._lock:
                rows = [row for row in self.outbox.unsent(limit=_PAGE) if row.number not in self._in_flight]
                self._behind = bool(rows)
            if not rows:
                return
            posts = [row.post for row in rows]
            outcomes = self._client.run(publishing.publish(self._identity.keys, posts, {post.stream for post in posts}))
            landed = [(row.number, told) for row, told in zip(rows, outcomes, strict=True) if isinstance(told, bytes)]
            self.outbox.landed((number, entry.decode()) for number, entry in landed)
            for outcome in outcomes:
                if isinstance(outcome, TransportError):
                    raise outcome


def _covered(row: Kept, told: Sequence[Stored]) -> bool:
    """Whether a projection is at or beyond this entry."""
    return any(position(stored.get(row.stream, START)) >= position(row.entry_id) for stored in told)


def _promised(posts: Sequence[Post]) -> Outcomes:
    """Outcomes of messages that are in the outbox: their entries are not known yet."""
    return [b""] * len(posts)


def no_delay_with(outbox: Outboxed | None) -> None:
    """Raises ConfigurationError: the outbox follows messages to their stream, and a delayed one is not there yet."""
    if outbox is not None:
        raise ConfigurationError("a delayed message is not kept in the outbox: send it with a publisher that has none.")
