"""Endurance: millions of messages through a producer, a consumer, the projection and the janitor, memory watched.

`python -m benchmarks endurance [--messages 5000000]`. All are real processes, as they are by default but for two
settings: what is done may be trimmed at once (CLAUDE_COMM_KEEP_S=0), and the producer is held by the inbox limit
(CLAUDE_COMM_MAX_LAG), so that it is as fast as the slowest reader. At the end every message must have been handled and
be in the projection once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks import results
from benchmarks.actors import Act, Actor, Spec
from benchmarks.messages import payloads
from benchmarks.place import Place, place
from benchmarks.watched import MIB, Sample, Slope, slopes, watching
from claude_comm import Consumer, Publisher
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.runtime.worker_processes import environ_for
from claude_comm.settings import Settings
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect

DEFAULT_MESSAGES = 5_000_000
MAX_LAG = 50_000
BATCH = 500
# What the projection may take for what is left when the last message was handled.
REST_TIMEOUT_S = 300.0
LATER_S = 15.0


class Outcome(msgspec.Struct, frozen=True):
    """One run: what went through, how fast, what the memory did, and what was left on the server and on the disk."""

    messages: int
    handled: int
    stored: int
    distinct: int
    seconds: float
    slopes: list[Slope]
    samples: list[Sample]
    left: int
    database_mib: float
    log_mib: float


def main(words: Sequence[str] = ()) -> int:
    """Prints the outcome and writes it down; 0 if nothing is missing or doubled."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks endurance", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--messages", type=int, default=DEFAULT_MESSAGES, help="How many go through.")
    total = max(parser.parse_args(list(words)).messages, BATCH) // BATCH * BATCH
    with place() as where:
        outcome = endure(where, total)
    text = table(outcome)
    print(text)
    (results.FOLDER / "endurance.md").write_text(f"{text}\n{results.machine()}\n", encoding="utf-8")
    return 0 if outcome.handled == outcome.stored == outcome.distinct == total else 1


def endure(where: Place, total: int) -> Outcome:
    """Sends that many through, and waits until all are stored and trimmed."""
    settings = endurance_settings(where)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(name, settings)) for name in ("progress", "janitor")}
        producer = Actor(Spec("producer", "benchmarks.endurance:produce"), where)
        stack.callback(producer.close)
        consumer = Actor(Spec("consumer", "benchmarks.endurance:consume"), where)
        stack.callback(consumer.close)
        pids = {
            "producer": producer.pid,
            "consumer": consumer.pid,
            "server": private_server.server_pid(settings.home) or 0,
        }
        pids |= {name: process.pid for name, process in workers.items()}
        database = stack.enter_context(open_database(settings.database))

        def stored() -> int:
            return int(database.rows("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'")[0][0])

        began = time.perf_counter()
        with watching(pids, stored) as samples:
            consumer.go(total)
            producer.go(total)
            producer.wait(timeout_s=None)
            _, handled = consumer.wait(timeout_s=None)
            _wait_for(lambda: stored() >= total, REST_TIMEOUT_S)
            seconds = time.perf_counter() - began
            # What is stored is settled a moment later, and then trimmed.
            left = _left(settings)
        (count, distinct) = database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages")[0]
        files = [Path(f"{settings.database}{end}") for end in ("", "-wal")]
        sizes = [file.stat().st_size / MIB for file in files]
    return Outcome(total, handled, count, distinct, seconds, slopes(samples, total), samples, left, *sizes)


def endurance_settings(where: Place) -> Settings:
    return msgspec.structs.replace(where.settings(), keep_s=0.0, keep_entries=0, max_lag=MAX_LAG)


@contextmanager
def produce(where: Place) -> Iterator[Act]:
    """Publishes numbered messages, 500 at a time, as fast as the inbox limit lets it."""
    with Publisher("producer", settings=endurance_settings(where), lag_wait_s=REST_TIMEOUT_S) as publisher:

        def act(total: int) -> None:
            for _ in range(total // BATCH):
                publisher.publish_many("sink", payloads(BATCH))

        yield act


@contextmanager
def consume(where: Place) -> Iterator[Act]:
    """Reads, decodes and acks; returns how many were handled."""
    with Consumer("sink", settings=endurance_settings(where), batch=BATCH) as consumer:
        consumer.read(wait_s=0)

        def act(total: int) -> int:
            handled = 0
            while handled < total:
                for delivery in consumer.read():
                    delivery.payload()
                    consumer.ack(delivery)
                    handled += 1
            consumer.flush()
            return handled

        yield act


def table(outcome: Outcome) -> str:
    rate = outcome.messages / outcome.seconds
    lines = [
        f"## Endurance, {outcome.messages:,} messages of 200 bytes",
        "",
        f"{outcome.seconds:,.0f} s, {rate:,.0f} messages/s through publishing, handling with acks, and the projection;",
        f"{outcome.handled:,} handled, {outcome.stored:,} stored, {outcome.distinct:,} of them distinct.",
        f"Inbox limit {MAX_LAG:,}; {outcome.left:,} entries were left in the inbox {LATER_S:.0f} s after the last was",
        f"stored. The database has {outcome.database_mib:,.0f} MiB, its log {outcome.log_mib:,.1f} MiB.",
        "",
        "| process | MiB for a million messages | from | to MiB |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.name} | {one.mib_per_million:+.2f} | {one.least:.1f} | {one.most:.1f} |" for one in outcome.slopes
    ]
    lines += ["", "Slopes by least squares over a sample a second, the first third of the messages left out.", ""]
    return "\n".join(lines)


@contextmanager
def _worker(name: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", f"workers.{name}"], env=environ_for(settings))
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_for(condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the projection did not come to the end")
        time.sleep(0.2)


def _left(settings: Settings) -> int:
    """Entries in the inbox, once the janitor had its time."""
    time.sleep(LATER_S)
    with connect(settings) as client:
        return int(client.data.one(Command(("XLEN", Keys(settings.namespace).inbox("sink")))))
