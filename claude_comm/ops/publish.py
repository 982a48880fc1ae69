"""Putting messages onto streams.

Law: a stream is announced to the projection before its first entry, so that no message is ever outside of what the
projection follows. `publish` sends all at once, and a server that is full for a moment may refuse an earlier message
and take a later one; `publish_in_order` takes a step for each stream, and keeps the order whatever is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, TypeAlias

from claude_comm.effects import Append, Batch, Believe, Command, Operation, Post, Script, Scripts
from claude_comm.errors import (
    FULL,
    ConfigurationError,
    NotOnDisk,
    ServerRefused,
    ServerUnreachable,
    TransportError,
)
from claude_comm.names import Keys
from claude_comm.ops import door, news
from claude_comm.security import sealed

Outcomes: TypeAlias = list[bytes | TransportError]
# What a publish may wait for beside the stream: the flush to the server's disk.
Durability: TypeAlias = Literal["fsync"]
# Puts posts onto their streams, and announces those that are given beside them.
Publish: TypeAlias = Callable[[Keys, Sequence[Post], Collection[str]], Operation[Outcomes]]

# How many posts wait for the disk together, and for how long.
FLIGHT, ON_DISK_WITHIN_MS = 500, 10_000
# How much one step appends, at most: the server does nothing else meanwhile, and its memory may grow by that much.
STEP, STEP_BYTES = 500, 4 * 1024 * 1024

EVICTS = (
    "its maxmemory-policy deletes keys when the memory is full, messages and positions among them: set it to noeviction"
)


def announce(keys: Keys, streams: Collection[str]) -> Operation[dict[str, int]]:
    """Lets the projection follow these streams; how many messages may wait at the modules whose inboxes are among
    them (0: they declare no limit)."""
    modules = [stream.name for key in streams if (stream := keys.parse_stream(key.encode())) and stream.kind == "inbox"]
    commands: tuple[Command, ...] = news.announcing(keys, streams)
    if modules:
        commands = (*commands, Command(("HMGET", keys.limits, *modules), on="control"))
    added, _, *limits = yield Batch(commands, on="control")
    if isinstance(added, TransportError):
        raise added
    declared = limits[0] if limits and isinstance(limits[0], list) else []
    known: dict[str, int] = {}
    for module, text in zip(modules, declared, strict=False):
        known[module] = yield from _believed_limit(keys, module, text)
    return known


def limit(keys: Keys, module: str) -> Operation[int]:
    """How many messages may wait at a module; 0: it declares no limit."""
    text: bytes | None = yield Command(("HGET", keys.limits, module), on="control")
    return (yield from _believed_limit(keys, module, text))


def _believed_limit(keys: Keys, module: str, text: bytes | None) -> Operation[int]:
    # Whoever could set another module's limit to nothing would keep all messages from it.
    (believed,) = yield Believe(keys.limits, ((module, text),), (module,))
    return _limit(believed)


def publish(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[Outcomes]:
    """What became of each, in order: the id of its entry, or the refusal that stands in its place."""
    if unannounced:
        yield from announce(keys, unannounced)
    replies: Outcomes = yield Append(posts)
    return replies


def publish_in_order(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[Outcomes]:
    """`publish`; of the messages for one stream none is taken after one that was refused. Raises ServerUnreachable
    where the first of all met a server that does not answer."""
    places: dict[str, list[int]] = {}
    for place, post in enumerate(posts):
        places.setdefault(post.stream, []).append(place)
    if len(places) == len(posts):
        return (yield from publish(keys, posts, unannounced))
    if unannounced:
        yield from announce(keys, unannounced)
    outcomes: Outcomes = [b""] * len(posts)
    reached = False
    while places:
        steps = _steps(posts, places)
        appending = Scripts(tuple(Script("append", (stream,), bodies) for stream, bodies in steps.items()))
        try:
            replies: list[list[bytes] | TransportError] = yield appending
        except ServerUnreachable as error:
            if not reached:
                raise
            replies = [error] * len(steps)
        reached = True
        for (stream, bodies), reply in zip(steps.items(), replies, strict=True):
            waiting = places.pop(stream)
            became: Sequence[bytes | TransportError] = () if isinstance(reply, TransportError) else reply
            if isinstance(reply, ServerRefused) and reply.code == "NOPERM":
                # A user of a release before these steps, who may write to the stream and run nothing there.
                became = yield Append([posts[place] for place in waiting])
            elif isinstance(reply, TransportError):
                became = [reply] * len(waiting)
            elif len(bodies) < len(waiting):
                places[stream] = waiting[len(bodies) :]
            for place, outcome in zip(waiting, became, strict=False):
                outcomes[place] = outcome
    return outcomes


def _steps(posts: Sequence[Post], places: Mapping[str, Sequence[int]]) -> dict[str, tuple[bytes, ...]]:
    """What is appended next to each stream, as much as travels together: at least one message."""
    steps: dict[str, tuple[bytes, ...]] = {}
    size = 0
    for stream, waiting in places.items():
        bodies: list[bytes] = []
        for place in waiting[:STEP]:
            size += len(posts[place].body)
            if size > STEP_BYTES and (steps or bodies):
                break
            bodies.append(posts[place].body)
        if bodies:
            steps[stream] = tuple(bodies)
        if size > STEP_BYTES:
            break
    return steps


def publish_to_disk(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[Outcomes]:
    """`publish`, confirmed when the server's disk has them: one WAITAOF a flight, which waits for what its own
    connection wrote. Raises NotOnDisk."""
    if unannounced:
        yield from announce(keys, unannounced)
    outcomes: Outcomes = []
    for start in range(0, len(posts), FLIGHT):
        flight = posts[start : start + FLIGHT]
        adding = [Command(("XADD", post.stream, "*", *sealed.fields(post.body))) for post in flight]
        waiting = Command(("WAITAOF", 1, 0, ON_DISK_WITHIN_MS))
        *added, waited = yield Batch((*adding, waiting), wait_ms=ON_DISK_WITHIN_MS)
        outcomes += added
        if isinstance(waited, TransportError):
            raise NotOnDisk(str(waited).rstrip("."))
        if not waited[0]:
            raise NotOnDisk(f"it took longer than {ON_DISK_WITHIN_MS / 1000:g} s")
    return outcomes


def require_disk() -> Operation[None]:
    """Asks whether the server can say that its disk has something, before anything is sent. Raises
    ConfigurationError."""
    try:
        yield Command(("WAITAOF", 1, 0, 1), wait_ms=1)
    except ServerRefused as refusal:
        raise ConfigurationError(
            f"durable='fsync' needs a server that can confirm its flushes, and this one says: {refusal.text}. It "
            "takes Valkey, or Redis 7.2, with `appendonly yes`; an access user needs the command WAITAOF "
            "(`claude-comm acl --apply`). Without them use an outbox."
        ) from None


def evicting() -> Operation[str]:
    """What the server does when its memory is full, where that is to delete keys; "" where it does not, or does not
    tell."""
    try:
        told: bytes = yield Command(("INFO", "memory"))
    except TransportError:
        return ""
    _, _, rest = told.partition(b"maxmemory_policy:")
    policy = rest.split(maxsplit=1)[0].decode(errors="replace") if rest else ""
    return "" if policy == "noeviction" else policy


def _limit(text: bytes | None) -> int:
    """A limit that somebody else wrote there and that is no number limits nothing."""
    return door.number(text) or 0


def is_full(outcome: bytes | TransportError) -> bool:
    """Whether the server had no memory for it."""
    return isinstance(outcome, ServerRefused) and outcome.code == FULL


def without_room(outcomes: Outcomes) -> list[int]:
    """The places of what the server had no memory for."""
    return [place for place, outcome in enumerate(outcomes) if outcome.__class__ is not bytes and is_full(outcome)]
