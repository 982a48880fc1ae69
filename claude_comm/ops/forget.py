"""Forgetting a module that will not come back, or that never was: a name that somebody mistyped has an inbox, too. And
a topic that nobody reads, of which nothing is trimmed.

Law: only a person knows that nobody will read what waits there, so nothing is forgotten by itself. Nothing that runs is
forgotten: the module's instances must have ended, and a topic's readers have left it. Its keys go before its name does:
whoever is killed in between finds the name again, and what is left of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import StillRead, StillRuns, TransportError
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import follow, heartbeats, lag, registration, subscriptions


class Forgotten(msgspec.Struct, frozen=True):
    """What there was of a module: entries of its inbox, messages that waited for their time, buried ones, events, the
    topics that it read, and whether it had a contract."""

    inbox: int
    later: int
    dead: int
    events: int
    topics: list[str]
    registered: bool

    @property
    def nothing(self) -> bool:
        """Whether nobody knows that name."""
        return not (self.inbox or self.later or self.dead or self.events or self.topics or self.registered)


class ForgottenTopic(msgspec.Struct, frozen=True):
    """What there was of a topic: its messages, and those that waited for their time."""

    entries: int
    later: int

    @property
    def nothing(self) -> bool:
        """Whether nobody knows that topic."""
        return not (self.entries or self.later)


def forget(keys: Keys, module: str, *, now_ms: int, dry_run: bool = False) -> Operation[Forgotten]:
    """Removes all that the servers keep of a module; with `dry_run` it only says what that is.

    Raises StillRuns while an instance of the module says that it lives.
    """
    alive = yield from heartbeats.instances_alive(keys, module, now_ms=now_ms)
    if alive:
        raise StillRuns(module, alive)
    topics = yield from _topics(keys, module)
    forgotten = yield from _counts(keys, module, topics)
    if not dry_run:
        for topic in topics:
            yield Command(("XGROUP", "DESTROY", keys.topic(topic), module))
        inbox, events = keys.inbox(module), keys.events(module)
        yield Command(("UNLINK", inbox, keys.later(module), keys.dead(module), events, keys.seen(module)))
        yield Command(("SREM", keys.streams, inbox, events), on="control")
        yield Command(("HDEL", keys.dropped, module), on="control")
        yield from registration.unregister(keys, module, now_us=now_ms * 1000)
    return forgotten


def forget_topic(keys: Keys, topic: str, *, now_ms: int, dry_run: bool = False) -> Operation[ForgottenTopic]:
    """Removes all that the servers keep of a topic; with `dry_run` it only says what that is. Raises StillRead."""
    stream, later, target = keys.topic(topic), keys.later_of(keys.topic(topic)), f"{TOPIC_PREFIX}{topic}"
    groups = (yield from lag.groups([stream]))[stream]
    declared = yield from subscriptions.declared_readers(keys, topic, now_ms=now_ms)
    readers = {group.name for group in groups}.union(declared)
    if readers:
        raise StillRead(topic, sorted(readers))
    counts = yield Batch((Command(("XLEN", stream)), Command(("ZCARD", later))))
    entries, waiting = _whole(counts)
    if not dry_run:
        yield Command(("UNLINK", stream, later))
        yield Command(("SREM", keys.streams, stream), on="control")
        yield from registration.unlink_pairs(keys, target, ())
        yield Command(("UNLINK", keys.edges(target)), on="control")
    return ForgottenTopic(entries, waiting)


def _counts(keys: Keys, module: str, topics: list[str]) -> Operation[Forgotten]:
    counts = yield Batch(
        (
            Command(("XLEN", keys.inbox(module))),
            Command(("ZCARD", keys.later(module))),
            Command(("XLEN", keys.dead(module))),
            Command(("XLEN", keys.events(module))),
        )
    )
    inbox, waiting, dead, events = _whole(counts)
    registered = yield Command(("HEXISTS", keys.modules, module), on="control")
    return Forgotten(inbox, waiting, dead, events, topics, bool(registered))


def _whole(counts: Sequence[Any]) -> list[int]:
    for count in counts:
        if isinstance(count, TransportError):
            raise count
    return [int(count) for count in counts]


def _topics(keys: Keys, module: str) -> Operation[list[str]]:
    announced = (yield from follow.announced(keys)).streams
    streams = {stream.key: stream.name for stream in announced if stream.kind == "topic"}
    groups = yield from lag.groups(list(streams))
    return sorted(streams[key] for key, readers in groups.items() if any(reader.name == module for reader in readers))
