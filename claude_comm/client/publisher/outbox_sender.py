"""Publishing through an outbox: kept first, sent next, forgotten when a projection has stored it.

Law: messages leave in the order in which they were kept: while an older one waits to be sent (the server did not
answer, the process died, the server lost it), newer ones wait behind it, and a thread sends them all. A message is
forgotten when a projection has reported a position at or beyond its entry, the stream still holds that entry, and
`SETTLE_S` have passed, in which the server and the projection have reached their disks.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from claude_comm.client.arguments import check_file
from claude_comm.client.identity import Identity, micros, millis
from claude_comm.client.publisher.attempts import put_back, unreached
from claude_comm.effects import Operation, Post
from claude_comm.errors import (
    ConfigurationError,
    PublisherBusy,
    PublisherFull,
    ServerFull,
    ServerUnreachable,
    StoreError,
    TransportError,
)
from claude_comm.ops import projection_progress
from claude_comm.ops import publish as publishing
from claude_comm.ops.heartbeats import FORGET_MS
from claude_comm.ops.projection_progress import Stored
from claude_comm.ops.publish import Outcomes, without_room
from claude_comm.runtime.position_trust import believed_positions
from claude_comm.security import sealed
from claude_comm.store.checkpoints import START, position
from claude_comm.store.outbox import Kept, Outbox
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

OnFull: TypeAlias = Literal["wait", "refuse", "drop_oldest"]
DEFAULT_MAX_OUTBOX_BYTES = 1024 * 1024 * 1024
# An append-only file that is flushed every second may be two seconds behind.
SETTLE_S = 5.0
# How often the reports of projections are read, and how often every kept message is looked for in its stream.
REVIEW_S, AUDIT_S = 0.5, 30.0
# How often the chunks of what waits are renewed: a small part of the time for which a collection leaves them alone.
RENEW_CHUNKS_S = 3600.0
_PAGE = 500
_ROOM_S = 0.05


class OutboxSender:
    """The outbox of one publisher and the thread that sends what is behind and forgets what is stored."""

    def __init__(self, identity: Identity, path: str | Path, max_bytes: int, on_full: OnFull) -> None:
        if on_full == "drop_oldest":
            raise ConfigurationError('an outbox drops nothing: use on_full="wait" or "refuse" with it.')
        self.outbox = Outbox(check_file("outbox", path))
        self._identity, self._max_bytes, self._on_full = identity, max_bytes, on_full
        self._log = get_logger(identity.settings.log_level, module=identity.module)
        self._client = connect(identity.settings, identity.signer)
        self._believed = believed_positions(identity.settings)
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._in_flight: set[int] = set()
        # What an earlier process left is looked at before anything new is sent.
        self._behind = self.outbox.held_bytes > 0
        # Itself while messages wait to be sent: the thread has this list, and goes on for a publisher that is dropped.
        self._kept: list[OutboxSender] = [self] if self._behind else []
        self._audit_at = self._renew_at = 0.0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=_run,
            args=(weakref.ref(self), self.outbox, self._client, self._wake, self._stop, self._kept),
            name="outbox",
            daemon=True,
        )
        self._thread.start()

    def keep(self, posts: Sequence[Post]) -> list[int]:
        """Writes these to the disk; their numbers if they may be sent now, none while older ones wait to be sent.

        Waits for room, or raises PublisherFull, as `on_full` says. Raises PublisherBusy on its own thread, and
        StoreError in a process that was forked.
        """
        if threading.get_ident() == self._thread.ident:
            # A `__del__` that publishes ran there, wherever that was: in the middle of a lock of the file, perhaps.
            raise PublisherBusy
        if self._pid != os.getpid():
            self.outbox.refuse_fork()
        self._make_room()
        with self._lock:
            numbers = self.outbox.keep(posts, micros())
            if not self._behind:
                self._in_flight.update(numbers)
                return numbers
        self._wake.set()
        return []

    def delivering(
        self, numbers: Sequence[int], posts: Sequence[Post], sending: Operation[Outcomes]
    ) -> Operation[Outcomes]:
        """Sends what `keep` numbered; where the server does not answer, the thread sends it later."""
        try:
            with self._postponed_on_error(numbers):
                outcomes = yield from sending
        except (ServerUnreachable, ServerFull):
            return promised(posts)
        return self._finish(numbers, posts, outcomes)

    def close(self) -> None:
        """Ends the thread; messages not stored yet stay for the next publisher with this outbox."""
        if self._pid != os.getpid():
            return  # both are the parent's
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._client.close()
        self.outbox.close()

    def _finish(self, numbers: Sequence[int], posts: Sequence[Post], outcomes: Outcomes) -> Outcomes:
        """Drops refused messages, which their publisher is told of, and keeps sent ones until they are stored.

        Those for a node that did not answer, while other nodes did, or that had no memory, are left to the thread.
        """
        missed = {*unreached(outcomes), *without_room(outcomes)}
        if missed:
            self._postpone([numbers[place] for place in missed])
            kept = [place for place in range(len(posts)) if place not in missed]
            finished = self._finish([numbers[n] for n in kept], [posts[n] for n in kept], [outcomes[n] for n in kept])
            all_outcomes = promised(posts)
            put_back(all_outcomes, kept, finished)
            return all_outcomes
        pairs = list(zip(numbers, posts, outcomes, strict=True))
        self.outbox.landed((number, outcome.decode()) for number, _, outcome in pairs if isinstance(outcome, bytes))
        self.outbox.drop({number: len(post.body) for number, post, outcome in pairs if not isinstance(outcome, bytes)})
        with self._lock:
            self._in_flight.difference_update(numbers)
        return outcomes

    def _postpone(self, numbers: Sequence[int]) -> None:
        with self._lock:
            self._in_flight.difference_update(numbers)
            self._mark_behind(True)
        self._wake.set()

    @contextmanager
    def _postponed_on_error(self, numbers: Sequence[int]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._postpone(numbers)
            raise

    def _make_room(self) -> None:
        """Waits for projections to store messages, or refuses, as `on_full` says. Raises PublisherFull."""
        while self.outbox.held_bytes >= self._max_bytes:
            if self._on_full == "refuse" or self._stop.is_set():
                raise PublisherFull("this message was not taken into the outbox", self._max_bytes)
            self._wake.set()
            self._stop.wait(_ROOM_S)

    def _mark_behind(self, behind: bool) -> None:
        """The caller holds the lock."""
        self._behind = behind
        self._kept[:] = [self] if behind else []

    def turn(self, reached: bool) -> bool:
        """What the thread does again and again; whether the server and the disk answered, as `reached` said before."""
        try:
            self._review()
            self._catch_up()
        except (TransportError, StoreError) as error:
            if reached:
                self._log.warning("outbox.waiting", error=str(error))
            return False
        return True

    def _review(self) -> None:
        """Forgets stored messages; those that the server has lost are to be sent again.

        A review ends with the first page of which no projection has anything: it has even less of later ones. An audit
        looks at every page, because nobody reports what a server loses.
        """
        reports = self._client.run(self._believed.reported(self._identity.keys, since_ms=millis() - FORGET_MS))
        audit = time.monotonic() >= self._audit_at
        if audit:
            self.outbox.not_after(micros())
        before_us, after = micros() - int(SETTLE_S * 1e6), 0
        while rows := self.outbox.sent(after=after, before_us=before_us, limit=_PAGE):
            after = rows[-1].number
            examined = rows if audit else [row for row in rows if _covered(row, reports)]
            if not examined:
                break
            self._examine(examined, reports)
        if audit:
            self._audit_at = time.monotonic() + AUDIT_S
        self._renew_chunks()

    def _examine(self, rows: Sequence[Kept], reports: Sequence[Stored]) -> None:
        bodies = self._client.run(projection_progress.present([(row.stream, row.entry_id) for row in rows]))
        kept = [sealed.split(row.body)[0] for row in rows]
        lost = [row for row, own, body in zip(rows, kept, bodies, strict=True) if body != own]
        held = [row for row, own, body in zip(rows, kept, bodies, strict=True) if body == own]
        self.outbox.drop({row.number: len(row.body) for row in held if _covered(row, reports)})
        if lost:
            self._log.warning("outbox.lost_by_the_server", messages=len(lost))
            self.outbox.landed((row.number, "") for row in lost)
            with self._lock:
                self._mark_behind(True)

    def _renew_chunks(self) -> None:
        """What waits here keeps its chunks, however long the server is away: no collection removes what is renewed."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEW_CHUNKS_S
        after = 0
        while rows := self.outbox.naming_chunks(after=after, limit=_PAGE):
            after = rows[-1].number
            self._renew_named(rows)

    def _renew_named(self, rows: Sequence[Kept]) -> None:
        from claude_comm.blobs.files import store_of  # few programs send what is large
        from claude_comm.blobs.marking import digests_in

        store = store_of(self._identity.settings)
        for digest in {digest for row in rows for digest in digests_in(row.body)}:
            store.has(digest)

    def _catch_up(self) -> None:
        """Sends the messages that wait, in order, until none does."""
        while self._behind and not self._stop.is_set():
            with self._lock:
                rows = [row for row in self.outbox.unsent(limit=_PAGE) if row.number not in self._in_flight]
                self._mark_behind(bool(rows))
            if not rows:
                return
            posts = [row.post for row in rows]
            streams = {post.stream for post in posts}
            outcomes = self._client.run(publishing.publish_in_order(self._identity.keys, posts, streams))
            landed = [
                (row.number, entry) for row, entry in zip(rows, outcomes, strict=True) if isinstance(entry, bytes)
            ]
            self.outbox.landed((number, entry.decode()) for number, entry in landed)
            for outcome in outcomes:
                if isinstance(outcome, TransportError):
                    raise outcome


def _run(
    owner: weakref.ref[OutboxSender],
    outbox: Outbox,
    client: Client,
    wake: threading.Event,
    stop: threading.Event,
    _kept: list[OutboxSender],
) -> None:
    """Until its owner stops it, or is gone with nothing left to send: then it closes what the owner would have."""
    reached = True
    while not stop.is_set():
        sender = owner()
        if sender is None:
            outbox.close()
            client.close()
            return
        reached = sender.turn(reached)
        del sender
        wake.wait(REVIEW_S)
        if not reached:
            stop.wait(REVIEW_S)
        wake.clear()


def _covered(row: Kept, reports: Sequence[Stored]) -> bool:
    """Whether a projection is at or beyond this entry."""
    return any(position(stored.get(row.stream, START)) >= position(row.entry_id) for stored in reports)


def promised(posts: Sequence[Post]) -> Outcomes:
    """Outcomes of messages that are in the outbox: their entries are not known yet."""
    return [b""] * len(posts)
