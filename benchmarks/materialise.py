"""Materialising: from streams into SQLite, each message once, beside a bare loop that reads, decodes and inserts.

No peer has a projection. The loop beside it reads with redis-py, decodes with msgspec and inserts with `executemany`,
in one transaction a page and with the same journal mode: a row a message with its id as the key, and in the second half
a row a delivery. It keeps no checkpoint, no sums and no index but the key. What was handled has as many deliveries as
messages: their events are projected too. Processor time is of this process alone: the server is another.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import redis

from benchmarks.messages import payloads
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rates
from claude_comm import Consumer, Publisher
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect

COUNT, PAGE, ROUNDS = 100_000, 2_000, 5
HANDLED = "handled"


class _Message(msgspec.Struct):
    id: str
    source: str
    target: str
    time: int
    type: str = "message"
    session: str = ""
    data: msgspec.Raw = msgspec.Raw()


def main() -> list[Result]:
    with place() as where:
        with Publisher("bench", settings=where.settings()) as publisher:
            publisher.publish_many("sink", payloads(COUNT))
        _handled(where)
        ways: dict[str, Callable[[Path], None]] = {
            "redis-py, msgspec and sqlite3": lambda path: _bare(where, path, "bench"),
            "claude-comm projection": lambda path: _project(where, path, "bench"),
            "redis-py, msgspec and sqlite3, with deliveries": lambda path: _bare(where, path, HANDLED),
            "claude-comm projection, with deliveries": lambda path: _project(where, path, HANDLED),
        }
        wall, spent, size = _measured(where, ways)
    items = dict.fromkeys(ways, COUNT)
    sizes = ", ".join(f"{name}: {size[name] / COUNT:.0f} B a message" for name in ways)
    note = f"{COUNT:,} messages of 200 bytes into an empty database. {sizes}."
    return [rates("Materialise", wall, items, note=note), processor("Materialise, processor", spent, items)]


def _measured(
    where: Place, ways: Mapping[str, Callable[[Path], None]]
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, int]]:
    """Seconds, seconds of this process's processor, and the bytes of the file; interleaved, after a round that does not
    count."""
    numbers = itertools.count()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    size: dict[str, int] = {}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            path = _fresh(where, next(numbers))
            started, began = time.perf_counter(), time.process_time()
            way(path)
            if turn:
                wall[name].append(time.perf_counter() - started)
                spent[name].append(time.process_time() - began)
            size[name] = path.stat().st_size
            path.unlink()
    return wall, spent, size


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


def _bare(where: Place, path: Path, namespace: str) -> None:
    client: Any = redis.Redis(unix_socket_path=where.socket, protocol=2)
    keys = Keys(namespace)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE messages (id TEXT PRIMARY KEY, source, target, type, session, time, data)")
    database.execute("CREATE TABLE deliveries (id TEXT PRIMARY KEY, source, sent, settled, attempts, consumer)")
    decode = msgspec.msgpack.Decoder(_Message).decode
    _insert(client, database, keys.inbox("sink"), "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", lambda body: [
        (m.id, m.source, m.target, m.type, m.session, m.time, bytes(m.data)) for m in [decode(body)]
    ])  # fmt: skip
    if namespace == HANDLED:
        _insert(client, database, keys.events("sink"), "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?)", _deliveries)
    database.close()


def _deliveries(body: bytes) -> list[tuple[Any, ...]]:
    event = msgspec.msgpack.decode(msgspec.msgpack.decode(body, type=_Message).data)
    rows = event["deliveries"] if event["kind"] == "handled" else []
    return [(id_, source, sent, settled, attempts, "sink") for source, id_, sent, settled, attempts, *_ in rows]


def _insert(client: Any, database: Any, stream: str, sql: str, rows_of: Callable[[bytes], list[Any]]) -> None:
    at = b"0-0"
    while found := client.xread({stream: at}, count=PAGE):
        entries = found[0][1]
        database.execute("BEGIN IMMEDIATE")
        database.executemany(sql, [row for _, fields in entries for row in rows_of(fields[b"e"])])
        database.execute("COMMIT")
        at = entries[-1][0]
