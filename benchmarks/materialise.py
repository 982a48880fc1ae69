"""Materialising: from streams into SQLite, each message once, beside a loop that inserts the bare bytes.

No peer has a projection. The loop beside it reads with redis-py and inserts id and body in one transaction a page,
with the same journal mode; it decodes nothing, keeps no checkpoint and cannot tell a copy. What was handled has as many
deliveries as messages: their events are projected too.
"""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path
from typing import Any

import redis

from benchmarks.messages import payloads
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, rates, rounds
from claude_comm import Consumer, Publisher
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect

COUNT, PAGE, ROUNDS = 20_000, 2_000, 7
HANDLED = "handled"


def main() -> list[Result]:
    with place() as where:
        with Publisher("bench", settings=where.settings()) as publisher:
            publisher.publish_many("sink", payloads(COUNT))
        _handled(where)
        numbers = itertools.count()
        ways = {
            "redis-py and sqlite3, bytes only": lambda: _bytes_only(where, _fresh(where, next(numbers))),
            "claude-comm projection": lambda: _project(where, _fresh(where, next(numbers)), "bench"),
            "claude-comm projection, with deliveries": lambda: _project(where, _fresh(where, next(numbers)), HANDLED),
        }
        seconds = rounds(ways, ROUNDS)
    note = f"{COUNT:,} messages of 200 bytes into an empty database."
    return [rates("Materialise", seconds, dict.fromkeys(ways, COUNT), note=note)]


def _fresh(where: Place, number: int) -> Path:
    return Path(where.home) / f"projection-{number}.db"


def _handled(where: Place) -> None:
    """As many messages in a namespace of their own, each handled and acked."""
    settings = where.settings(HANDLED)
    with Publisher("bench", settings=settings) as publisher, Consumer("sink", settings=settings, batch=500) as consumer:
        publisher.publish_many("sink", payloads(COUNT))
        for _, delivery in zip(range(COUNT), consumer, strict=False):
            consumer.ack(delivery)


def _project(where: Place, path: Path, namespace: str) -> None:
    settings = where.settings(namespace)
    with connect(settings) as client, open_database(path) as database:
        catch_up(client, database, Keys(namespace), max_bytes=settings.max_envelope_bytes)
        ((stored, delivered),) = database.rows(
            "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM deliveries WHERE status = 'handled')"
        )
    if (stored, delivered) != (COUNT, COUNT if namespace == HANDLED else 0):
        raise RuntimeError(f"{stored} messages and {delivered} deliveries of {COUNT} were stored")


def _bytes_only(where: Place, path: Path) -> None:
    client: Any = redis.Redis(unix_socket_path=where.socket, protocol=2)
    at = b"0-0"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE messages (id TEXT PRIMARY KEY, body BLOB)")
    while found := client.xread({_keys().inbox("sink"): at}, count=PAGE):
        entries = found[0][1]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO messages VALUES (?, ?)", [(id_, fields[b"e"]) for id_, fields in entries])
        database.execute("COMMIT")
        at = entries[-1][0]
    database.close()


def _keys() -> Keys:
    return Keys("bench")
