"""Bytes that others wrote into shared keys: 10,000 values a kind of key, and none of them stops anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from claude_comm.delivery import burial, retention
from claude_comm.effects import Batch, Believe, Command, Operation, Script, SealEnvelope, Sign
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys, Stream
from claude_comm.ops import (
    agreements,
    door,
    follow,
    heartbeats,
    later,
    news,
    projection_progress,
    publish,
    reap,
    registry,
    trim,
)
from claude_comm.runtime.notary import plain, unsigned
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client

TIMES = 10_000
KEYS = Keys("n")
WRONG_TYPE = ServerRefused("WRONGTYPE Operation against a key holding the wrong kind of value", code="WRONGTYPE")

# What is nearly right, beside what is not at all.
NEAR = [
    *(b"", b"abc", b"1-1", b"1-1 5", b"1-1 x", b"-", b"1-", b"99999999999999999999999-1", b"5", b"\xff\xfe", b"a/b"),
    *(b"inf", b"-inf", b"nan", b"1e400", b"9" * 5_000, b"0:x", b"x:0", b"{}", b"[", b"null", b'{"module": 1}'),
    *("²".encode(), b"1_000", b" 7", b"+7", b"p\n", b"n:{m:a}:inbox", b"n:{m:a}:nothing", b"n:{m:}:inbox"),
]


class Chance:
    """Replies of a server into whose keys anybody wrote anything."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self) -> bytes:
        if self._random.random() < 0.6:
            return self._random.choice(NEAR)
        return self._random.randbytes(self._random.randrange(30))

    def score(self) -> float:
        return self._random.choice([0.0, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), 1.5, 2.0**60])

    def reply(self, command: Command) -> Any:
        if self._random.random() < 0.02 and command.args[0] not in ("TIME", "SADD"):
            return WRONG_TYPE
        return self._replies[str(command.args[0])](self, command)

    def _some(self) -> list[bytes]:
        return [self.text() for _ in range(self._random.randrange(4))]

    def _entry_id(self) -> bytes:
        """Which the server makes itself."""
        return b"%d-%d" % (self._random.randrange(2**64), self._random.randrange(3))

    def _scored(self, command: Command) -> Any:
        pairs = [[member, self.score()] for member in self._some()]
        return pairs if "WITHSCORES" in command.args else [member for member, _ in pairs]

    _replies: ClassVar[dict[str, Callable[[Chance, Command], Any]]] = {
        "TIME": lambda self, _: [b"1", b"1"],
        "SADD": lambda self, _: 1,
        "XADD": lambda self, _: b"1-1",
        "XRANGE": lambda self, _: [[self._entry_id(), [b"s", b" ".join(self._some())]] for _ in self._some()],
        "XREVRANGE": lambda self, _: [[self._entry_id(), self._some() * 2]],
        "HGET": lambda self, _: self.text(),
        "HMGET": lambda self, command: [self.text() for _ in command.args[2:]],
        "HKEYS": lambda self, _: self._some(),
        "HGETALL": lambda self, _: {name: self.text() for name in self._some()},
        "SMEMBERS": lambda self, _: set(self._some()),
        "HSCAN": lambda self, _: [b"0", [text for name in self._some() for text in (name, self.text())]],
        "ZCARD": lambda self, _: 1,
        "ZRANGE": lambda self, _: [[self.text(), self.score()]],
        "ZRANGEBYSCORE": _scored,
    }


def play(operation: Operation[Any], chance: Chance) -> Any:
    """The result of an operation on such a server; a refusal of a whole command may be raised, and nothing else."""
    reply: Any = None
    try:
        effect = next(operation)
        while True:
            if isinstance(effect, Batch):
                reply = [chance.reply(command) for command in effect.commands]
            elif isinstance(effect, Sign | SealEnvelope | Believe):
                reply = plain(effect) if isinstance(effect, Believe) else unsigned(effect)
            elif isinstance(effect, Command):
                reply = chance.reply(effect)
            else:
                assert isinstance(effect, Script)
                reply = [1, str(chance.score()).encode()]
            effect = operation.throw(reply) if isinstance(reply, ServerRefused) else operation.send(reply)
    except StopIteration as end:
        return end.value
    except ServerRefused as refusal:
        if refusal is not WRONG_TYPE:
            raise
        return None


OPERATIONS: dict[str, Callable[[], Operation[Any]]] = {
    "positions of projections": lambda: projection_progress.awaited(KEYS, 60.0),
    "positions for outboxes": lambda: projection_progress.reported(KEYS, since_ms=0),
    "contracts and heartbeats": lambda: registry.everyone(KEYS, now_ms=1),
    "heartbeats of a module": lambda: heartbeats.instances_alive(KEYS, "a", now_ms=1),
    "heartbeats of workers": lambda: heartbeats.workers_alive(KEYS, "janitor", now_ms=1),
    "silent instances": lambda: reap.silent(KEYS, now_ms=1),
    "limits": lambda: publish.announce(KEYS, [KEYS.inbox("a")]),
    "one agreement": lambda: agreements.find(KEYS, "0" * 64),
    "all agreements": lambda: agreements.everything(KEYS),
    "what waits": lambda: later.waiting([KEYS.inbox("a")]),
    "what is due": lambda: later.move_due(KEYS, KEYS.inbox("a"), now_ms=1),
    "announced streams": lambda: follow.announced(KEYS),
    "news": lambda: news.after(KEYS, "1-1"),
    "the last news": lambda: news.now(KEYS),
    "positions of some streams": lambda: projection_progress.awaited(KEYS, 60.0, [KEYS.inbox("a")]),
    "names of modules": lambda: registry.names(KEYS),
}


@pytest.mark.parametrize("kind", OPERATIONS)
def test_whatever_stands_there_is_read(kind: str) -> None:
    chance = Chance(7)
    for _ in range(TIMES):
        result = play(OPERATIONS[kind](), chance)
        if kind == "positions of projections" and result:
            for stream in {key for projection in result for key in (*projection.stored, *projection.unreadable)}:
                below = retention.floor(stream, result)
                assert retention.words(retention.Hold("durable"), stream, below, now_ms=1)


def test_whatever_a_dead_entry_has_is_a_burial() -> None:
    chance = Chance(8)
    for _ in range(TIMES):
        fields = {name: chance.text() for name in (b"e", b"reason", b"attempts", b"traceback", chance.text())}
        assert burial.read("a", "1-1", fields, max_bytes=1 << 20).attempts >= 0


def test_a_position_that_cannot_be_read_holds_its_stream_and_is_told() -> None:
    stream = KEYS.inbox("a").encode()
    replies = iter([[[b"p", 5.0]], [{stream: b"abc", b"other": b"7-1 12"}, {stream: b"9-9"}]])
    operation = projection_progress.projections(KEYS, since_ms=0)
    next(operation)
    operation.send(next(replies))
    with pytest.raises(StopIteration) as end:
        operation.send(next(replies))
    (projection,) = end.value.value
    assert projection.done(KEYS.inbox("a")) == retention.START
    assert (projection.stored, projection.counts) == ({"other": "7-1"}, {"other": 12})
    below = retention.floor(KEYS.inbox("a"), [projection])
    assert "unreadable position" in retention.words(retention.Hold("durable"), KEYS.inbox("a"), below, now_ms=6)


def test_members_of_later_that_are_none_of_ours_go_to_whoever_reads_the_stream(
    client: Client, settings: Settings
) -> None:
    """10,000 of them, among which two messages find their way."""
    keys, chance = Keys(settings.namespace), Chance(9)
    waiting, inbox = keys.later("sink"), keys.inbox("sink")
    members = {chance.text() + bytes([n % 256, n // 256]) for n in range(TIMES)}
    for start in range(0, TIMES, 500):
        words = [word for member in sorted(members)[start : start + 500] for word in (1, member)]
        client.data.one(Command(("ZADD", waiting, *words)))
    client.data.one(Command(("ZADD", waiting, 2, b"0:first", 3, b"4:second\n\0.", float("inf"), b"never")))
    moved = 0
    while (count := client.run(later.move_due(keys, inbox, now_ms=10, limit=1_000)).count) > 0:
        moved += count
    assert moved == len(members) + 2
    assert client.data.one(Command(("XLEN", inbox))) == moved
    entries = [
        dict(zip(f[::2], f[1::2], strict=True)) for _, f in client.data.one(Command(("XRANGE", inbox, "-", "+")))
    ]
    assert entries[-2:] == [{b"e": b"first"}, {b"e": b"second\n\0.", b"a": b"4"}]
    assert client.run(later.waiting([inbox])) == {inbox: later.Moved(1, None)}


def test_trimming_goes_on_beside_a_position_that_cannot_be_read(client: Client, settings: Settings) -> None:
    keys = Keys(settings.namespace)
    inbox = Stream(keys.inbox("sink"), "inbox", "sink")
    client.data.one(Command(("XADD", inbox.key, "1-1", "e", "x")))
    client.run(projection_progress.report(keys, "odd", {inbox.key: "1-1"}))
    client.data.one(Command(("HSET", keys.stored("odd"), inbox.key, "abc")))
    client.data.one(Command(("ZADD", keys.projections, 10**12, b"\xff no name")))
    projections = client.run(projection_progress.projections(keys, since_ms=0))
    assert [projection.name for projection in projections] == ["odd"]
    assert client.run(trim.trim(inbox, projections, retention.Keep(0, 0), now_ms=1)).entries == 0


@pytest.mark.parametrize("score", [b"inf", b"nan", b"1e300", b"x", None, float("inf"), "12", 5])
def test_a_moment_is_a_number_of_milliseconds_or_none(score: object) -> None:
    assert door.moment(score) in (None, 5, 12)
