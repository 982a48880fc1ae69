"""Values that no release of claude-comm writes, put into each kind of key."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import redis

from claude_comm.names import Keys
from claude_comm.ops.key_kinds import KINDS, Kind

# The names that stand for the words of docs/keys.md.
NAMES = {
    "NAME": "sink",
    "TOPIC": "news",
    "INSTANCE": "i1",
    "SESSION": "s1",
    "PROJECTION": "p1",
    "ID": "t1",
    "JOB": "j1",
}
# What is nearly right, beside what is not at all.
NEAR = [
    *(
        b"",
        b"abc",
        b"1-1",
        b"1-1 5",
        b"-",
        b"99999999999999999999999-1",
        b"5",
        b"\xff\xfe",
        b"a/b",
        b"sink/",
        b"0:",
        b"0:x",
    ),
    *(b"inf", b"nan", b"9" * 5_000, b"{}", b"[" * 2_000, b"null", b'{"module": 1}', b'{"v": 1}', b"\x81\xa1v\x01"),
    *(
        "²".encode(),
        b"1_000",
        b" 7",
        b"p\n",
        b"\xc1" * 80,
        b"\xdf\xff\xff\xff\xff",
        b"rq:x",
        b"\x1b[2J",
        b'"\\',
        b"x" * 300,
    ),
]
SCORES = (0.0, 1.0, 1e300, -1e300, float("inf"), float("-inf"), 1.5, 2.0**60)
STEP = 500


def key(keys: Keys, kind: Kind) -> str:
    """One key of that kind."""
    words = {"ns": keys.namespace, "NAMESPACE": keys.namespace, **NAMES}
    return re.sub(r"\bns\b|[A-Z]{2,}", lambda word: words[word[0]], kind.spelling)


def value(chance: random.Random) -> bytes:
    return chance.choice(NEAR) if chance.random() < 0.4 else chance.randbytes(chance.randrange(40))


def words(kind: Kind, key: str, chance: random.Random) -> Iterator[tuple[str | bytes | float, ...]]:
    """Commands without end, each of which puts one value there."""
    names = {"stream": [b"e", b"c", b"s", b"a", b"reason", b"status", b"w"]}.get(kind.type, [])
    while True:
        name, text = value(chance), value(chance)
        if kind.type == "hash":
            yield "HSET", key, name, text
        elif kind.type == "set":
            yield "SADD", key, name
        elif kind.type == "zset":
            yield "ZADD", key, chance.choice(SCORES), name
        elif kind.type == "list":
            yield "RPUSH", key, name
        elif kind.type == "string":
            yield "SET", key, text
        else:
            yield "XADD", key, "*", chance.choice([*names, name]), text


def plant(server: redis.Redis, keys: Keys, *, values: int, seed: int) -> None:
    """So many values into a key of each kind."""
    chance = random.Random(seed)
    for kind in KINDS:
        commands = words(kind, key(keys, kind), chance)
        for start in range(0, values, STEP):
            with server.pipeline(transaction=False) as pipe:
                for _ in range(min(STEP, values - start)):
                    pipe.execute_command(*next(commands))
                pipe.execute(raise_on_error=False)
