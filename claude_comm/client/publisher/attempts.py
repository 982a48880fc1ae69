"""Attempts: sending the same bytes until the server has them, as operations that both publishers run.

Law: an attempt that may have reached the server is repeated with the same id, so that every reader can tell the copy.
A stream is announced to the registry before the first message on it. Only a server that does not answer, or has no
memory left, is waited for; every other refusal is raised at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from claude_comm.addresses import public
from claude_comm.client.identity import Identity
from claude_comm.delivery.schedule import Times
from claude_comm.effects import REPLY_WITHIN_MS, Operation, Pause, Post
from claude_comm.errors import ServerFull, ServerRefused, ServerUnreachable, TransportError
from claude_comm.names import Keys
from claude_comm.ops import later, replies
from claude_comm.ops import publish as ops
from claude_comm.ops.news import TELL_EVERY_S
from claude_comm.ops.patience import patiently
from claude_comm.ops.publish import Outcomes, Publish, is_full, without_room
from claude_comm.security.sealing import streams_of
from claude_comm.telemetry.logs import get_logger

# Announcing a stream again is news of it, and repairs a registry that was emptied under a living publisher.
ANNOUNCE_EVERY_S = TELL_EVERY_S
# Waits between the attempts of one publish while the server does not answer: about 1.5 s in all.
RETRY_WAITS_S = (0.05, 0.15, 0.4, 0.9)
# And while its memory is full: consumers and the janitor make room meanwhile. About 3 s in all.
FULL_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# On a cluster: after a wait that was in vain, nothing waits again for this long.
IMPATIENT_S = 5.0
# How many delayed messages one command stores: the server does nothing else meanwhile.
DELAY_PART = 500

# The servers whose policy a publisher of this process has looked at.
_looked_at: set[str] = set()

T = TypeVar("T")


class Attempts:
    """What one publisher knows of its server: the streams that it announced, and whether waiting makes sense.

    `learn` receives the limits that modules declare for their inboxes. In the name of `identity` a server is named
    that deletes messages when its memory is full.
    """

    def __init__(
        self,
        keys: Keys,
        learn: Callable[[Mapping[str, int]], None],
        *,
        on_cluster: bool,
        identity: Identity | None = None,
    ) -> None:
        self._keys, self._learn, self._on_cluster, self._identity = keys, learn, on_cluster, identity
        self._announced: dict[str, float] = {}
        self._impatient_until = 0.0

    def sending(self, posts: Sequence[Post], publish: Publish = ops.publish) -> Operation[Outcomes]:
        """The outcome of each, in order. Posts that a node did not take, or had no memory for, are sent again."""
        outcomes = yield from self._reaching(posts, publish)
        waits_s = iter(FULL_WAITS_S)
        while full := without_room(outcomes):
            wait_s = next(waits_s, None)
            if wait_s is None:
                put_back(outcomes, full, [_full_for_good(outcomes[place]) for place in full])
                break
            yield Pause(wait_s)
            put_back(outcomes, full, (yield from self._reaching([posts[place] for place in full], publish)))
        return outcomes

    def delaying(self, target: str, posts: Sequence[Post], times: Times) -> Operation[None]:
        """Stores messages that are handed out later."""
        for start in range(0, len(posts), DELAY_PART):
            yield from self._patiently(partial(self._delay, target, posts[start : start + DELAY_PART], times))

    def requesting(self, posts: Sequence[Post], until: float) -> Operation[Outcomes]:
        """Sends requests; the server has until then (monotonic seconds) to confirm them."""
        return self._patiently(partial(self._request, posts, until), until)

    def unannounced(self, streams: Collection[str]) -> set[str]:
        """The streams that were not announced lately."""
        before = time.monotonic() - ANNOUNCE_EVERY_S
        return {stream for stream in streams if self._announced.get(stream, -1e9) < before}

    def _reaching(self, posts: Sequence[Post], publish: Publish) -> Operation[Outcomes]:
        outcomes = yield from self._patiently(partial(self._append, posts, publish))
        while missed := unreached(outcomes):
            try:
                again = yield from self._patiently(partial(self._append, [posts[place] for place in missed], publish))
            except ServerUnreachable:
                return outcomes
            put_back(outcomes, missed, again)
        return outcomes

    def _append(self, posts: Sequence[Post], publish: Publish) -> Operation[Outcomes]:
        unannounced = self.unannounced(streams_of(posts))
        if unannounced:
            self._learn((yield from ops.announce(self._keys, unannounced)))
            yield from self._look_at_policy()
        outcomes = yield from publish(self._keys, posts, ())
        self._note_announced(unannounced)
        return outcomes

    def _look_at_policy(self) -> Operation[None]:
        """Once a process; `up`, `status` and the janitor look at each master of a cluster."""
        if self._identity is None or self._on_cluster:
            return
        server = self._identity.settings.url or str(self._identity.settings.home)
        if server not in _looked_at:
            _looked_at.add(server)
            if policy := (yield from ops.evicting()):
                log = get_logger(self._identity.settings.log_level, module=self._identity.module)
                log.warning("server.evicts", server=public(server), policy=policy, why=ops.EVICTS)

    def _delay(self, target: str, posts: Sequence[Post], times: Times) -> Operation[None]:
        unannounced, due_ms = self.unannounced({posts[0].stream}), times.not_before // 1000
        bodies = [post.body for post in posts]
        yield from later.delay(self._keys, target, bodies, due_ms=due_ms, unannounced=unannounced)
        self._note_announced(unannounced)

    def _request(self, posts: Sequence[Post], until: float) -> Operation[Outcomes]:
        unannounced = self.unannounced(streams_of(posts))
        within_ms = max(int((until - time.monotonic()) * 1000), 1)
        outcomes = yield from replies.ask(self._keys, posts, unannounced, within_ms=min(within_ms, REPLY_WITHIN_MS))
        self._note_announced(unannounced)
        if isinstance(outcomes[0], TransportError) and all(isinstance(outcome, TransportError) for outcome in outcomes):
            raise outcomes[0]
        return outcomes

    def _note_announced(self, streams: Collection[str]) -> None:
        self._announced.update(dict.fromkeys(streams, time.monotonic()))

    def _patiently(self, attempt: Callable[[], Operation[T]], until: float = math.inf) -> Operation[T]:
        """The result of `attempt`, repeated while the server does not answer or is full."""
        return patiently(attempt, partial(self._wait_s, Patience(until)))

    def _wait_s(self, patience: Patience, error: TransportError) -> float:
        """How long to wait after this error before the next attempt; raises the error when there is none."""
        if isinstance(error, ServerUnreachable):
            self._announced.clear()
            # A master of the cluster was waited for in vain a moment ago: messages for the others would wait as well.
            if time.monotonic() < self._impatient_until:
                raise error
        try:
            return patience.wait_s(error)
        except ServerUnreachable:
            if self._on_cluster and patience.spent:
                self._impatient_until = time.monotonic() + IMPATIENT_S
            raise


class Patience:
    """How long one message is tried, until a moment of the monotonic clock at the latest."""

    def __init__(self, until: float = math.inf) -> None:
        self._until = until
        self._unreachable, self._full = iter(RETRY_WAITS_S), iter(FULL_WAITS_S)
        # Whether all the waits were used up.
        self.spent = False

    def wait_s(self, error: TransportError) -> float:
        """How long to wait after this error before the next attempt; raises the error when there is none."""
        if not is_full(error):
            wait_s = next(self._unreachable, None) if isinstance(error, ServerUnreachable) else None
        elif (wait_s := next(self._full, None)) is None:
            error = _full_for_good(error)
        self.spent = wait_s is None
        if wait_s is None or time.monotonic() + wait_s >= self._until:
            raise error
        return wait_s


def raise_first(outcomes: Outcomes) -> None:
    """Raises the first refusal among them."""
    for outcome in outcomes:
        if isinstance(outcome, TransportError):
            raise outcome


def unreached(outcomes: Outcomes) -> list[int]:
    """The places of posts for a node that did not answer, while other nodes of its cluster did."""
    return [
        place
        for place, outcome in enumerate(outcomes)
        if outcome.__class__ is not bytes and isinstance(outcome, ServerUnreachable)
    ]


def put_back(outcomes: Outcomes, places: Sequence[int], later_outcomes: Outcomes) -> None:
    """Puts the outcomes of posts that were sent again into their places."""
    for place, outcome in zip(places, later_outcomes, strict=True):
        outcomes[place] = outcome


def _full_for_good(error: bytes | TransportError) -> TransportError:
    return ServerFull(error.text if isinstance(error, ServerRefused) else "", sum(FULL_WAITS_S))
