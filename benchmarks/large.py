"""A projection of ten million messages, and how long each question to it takes as a whole process.

`python -m benchmarks large [--messages 10000000] [--folder DIR]`: fills a database by SQL, in the schema that the
projection writes and with the sums that it keeps, then runs `list` with every filter and pair of filters, matching and
not, `show`, `session show`, `status` and `communication-status` with nine pairs, against a server that is up and holds
nothing. Each is run once after the database was dropped from the disk's cache, where that can be done, and then five
times.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import msgspec

from claude_comm.runtime import private_server
from claude_comm.store.database import Database, open_database
from claude_comm.store.timestamps import iso
from claude_comm.store.traffic import Traffic

MODULES, SESSIONS, PAGE, ROUNDS = 50, 1_000, 500_000, 5
START_US = 1_760_000_000_000_000

# Every message has a source and a target among MODULES names; nine in ten are of one of SESSIONS sessions, the first of
# which has half of them; of nine in ten it is known that they were handled, of one in a hundred that they failed.
_NAMES = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
INSERT INTO names (id, name) SELECT {first} + i, '{kind}-' || i FROM n
"""
_MESSAGES = """
WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
INSERT INTO packed_messages (number, message_id, source, target, type, session, agreement, content_type, stream,
    time_us, entry, size_bytes, data)
SELECT i, CAST(printf('%016d', i) AS BLOB), 1000 + (i * 7919) % {modules}, 1000 + (i * 104729 + i / 13) % {modules}, 1,
    CASE WHEN i % 10 = 0 THEN 0 WHEN i % 2 THEN 2000 ELSE 2000 + (i * 31) % {sessions} END, 0, 2, 3,
    {time} + i * 1000, ({time} / 1000 + i) << 20, 300, zeroblob(200)
FROM n
"""
_DELIVERIES = """
INSERT INTO packed_deliveries (message, consumer, status, attempts, settled_us, latency_us)
SELECT number, target, CASE WHEN number % 100 = 0 THEN 3 ELSE 1 END, 1, time_us + 5000, 5000 + number % 9973
FROM packed_messages WHERE number BETWEEN {start} AND {last} AND number % 10 != 1
"""
_SUMS = """
INSERT INTO traffic (session, source, target, messages_handled, messages_failed, handled, failed, latency_us)
SELECT {session}, m.source, m.target, sum(d.status = 1), sum(d.status = 3), sum(d.status = 1), sum(d.status = 3),
    sum((d.status = 1) * d.latency_us)
FROM packed_deliveries AS d JOIN packed_messages AS m ON m.number = d.message
WHERE d.message BETWEEN {start} AND {last} {where} GROUP BY 1, 2, 3
ON CONFLICT (session, source, target) DO UPDATE SET
    messages_handled = messages_handled + excluded.messages_handled,
    messages_failed = messages_failed + excluded.messages_failed, handled = handled + excluded.handled,
    failed = failed + excluded.failed, latency_us = latency_us + excluded.latency_us
"""
_LATENCIES = """
INSERT INTO latencies (session, source, target, bucket, deliveries)
SELECT 0, source, target, 300, handled FROM traffic WHERE session = 0
"""
_SESSIONS = """
INSERT INTO session_stats (session_id, modules_active, start_time, end_time)
SELECT n.name, '["module-0","module-1"]', ?, ? FROM names AS n WHERE n.name GLOB 'session-*' ON CONFLICT DO NOTHING
"""


def fill(database: Database, messages: int) -> None:
    """Fills an empty projection."""
    with database.write() as writer:
        for first, kind, count in ((1000, "module", MODULES), (2000, "session", SESSIONS)):
            writer.execute(_NAMES.format(first=first, kind=kind, last=count - 1))
        rows = [(1, "message"), (2, "application/msgpack"), (3, "comm:{m:module-0}:inbox")]
        writer.executemany("INSERT INTO names (id, name) VALUES (?, ?)", rows)
    for start in range(1, messages + 1, PAGE):
        last = min(start + PAGE - 1, messages)
        with database.write() as writer:
            given = {"start": start, "last": last, "modules": MODULES, "sessions": SESSIONS, "time": START_US}
            writer.execute(_MESSAGES.format(**given))
            writer.execute(_DELIVERIES.format(**given))
            Traffic().write(writer, start)
            for session, where in (("0", ""), ("m.session", "AND m.session != 0")):
                writer.execute(_SUMS.format(session=session, where=where, start=start, last=last))
    with database.write() as writer:
        writer.execute(_LATENCIES)
        writer.execute(_SESSIONS, (iso(START_US), iso(START_US + messages * 1000)))


def questions(folder: Path) -> dict[str, list[str]]:
    """The words of each command, by what it asks."""
    filters = {
        "--source": ("module-3", "module-0"),
        "--target": ("module-4", "nobody"),
        "--session": ("session-0", "session-77"),
    }
    asked: dict[str, list[str]] = {"list": ["list"], "show": ["show", "5000000"]}
    for count in (1, 2, 3):
        for names in combinations(filters, count):
            for place, which in enumerate(("some", "other")):
                words = [word for name in names for word in (name, filters[name][place])]
                asked[f"list {' '.join(names)} ({which})"] = ["list", *words]
    asked["list --source nobody"] = ["list", "--source", "nobody", "--session", "session-0"]
    pairs = [{"source": f"module-{n}", "target": f"module-{n + 1}"} for n in range(9)]
    file = folder / "pairs.json"
    file.write_bytes(msgspec.json.encode({"module_pairs": pairs}))
    asked["communication-status (nine pairs)"] = ["communication-status", str(file)]
    watched = folder / "watch.json"
    watched.write_bytes(
        msgspec.json.encode({"session_id": "session-0", "monitoring": {"metrics": ["messages", "latency"]}})
    )
    for session in ("session-0", "session-77"):
        asked[f"session show {session}"] = ["session", "show", session]
    asked["sessions"], asked["status"] = ["sessions"], ["status"]
    asked["trace"], asked["conversation"] = ["trace", "5000000"], ["conversation", "5000000"]
    asked["monitor-session (once)"] = ["monitor-session", str(watched), "--duration", "0"]
    return asked


class Took(msgspec.Struct, frozen=True):
    """Milliseconds of a whole process: by the clock, and of the processor, which a busy machine does not change."""

    wall: float
    processor: float


def measure(home: Path, words: Sequence[str]) -> tuple[Took, Took]:
    """Without the disk's cache of the database, and the medians with it."""
    _drop(home / "claude-comm.db")
    cold, *warm = [_run(home, words) for _ in range(ROUNDS + 1)]
    return cold, Took(*(statistics.median(getattr(took, name) for took in warm) for name in Took.__struct_fields__))


def _run(home: Path, words: Sequence[str]) -> Took:
    started, before = time.perf_counter(), _of_children()
    environ = {**os.environ, "CLAUDE_COMM_HOME": str(home)}
    command = [sys.executable, "-m", "claude_comm", *words]
    done = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
    return Took((time.perf_counter() - started) * 1000, (_of_children() - before) * 1000)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _drop(file: Path) -> None:
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks large", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="a home that is kept, and filled if it is empty")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        home = given.folder or Path(folder)
        with open_database(home / "claude-comm.db") as database:
            if not database.rows("SELECT 1 FROM packed_messages LIMIT 1"):
                started = time.perf_counter()
                fill(database, given.messages)
                print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        size = (home / "claude-comm.db").stat().st_size
        print(f"{given.messages:,} messages, {size / given.messages:.0f} B each")
        private_server.ensure(home)
        try:
            for name, asked in questions(home).items():
                cold, warm = measure(home, asked)
                figures = f"{warm.wall:6.0f} ms, {warm.processor:6.0f} of the processor"
                print(f"{name:48} {figures}  cold {cold.wall:6.0f}, {cold.processor:6.0f}", flush=True)
        finally:
            private_server.stop(home)
    return 0
