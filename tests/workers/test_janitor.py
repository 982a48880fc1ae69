"""The janitor as a process: it moves, clears up, trims, and may be killed at any time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.names import JANITOR_WORKER, Keys
from claude_comm.ops import changes, heartbeats, projection_progress, reap, registration
from claude_comm.ops.heartbeats import FORGET_MS, GONE_MS
from claude_comm.registry.contracts import contract
from claude_comm.runtime import private_server
from claude_comm.store.database import open_database
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until
from workers import janitor

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Start]:
    """Starts workers on the test's settings; whatever still runs at the end is killed by its handle."""
    children: list[subprocess.Popen[bytes]] = []

    def start(worker: str = JANITOR_WORKER, **variables: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"workers.{worker}"]
        children.append(subprocess.Popen(command, env={**environ, **variables}, stderr=subprocess.PIPE))
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ask(client: Client, *words: str | int | bytes) -> object:
    return client.data.one(Command(words))


def length(client: Client, key: str) -> int:
    return int(str(ask(client, "XLEN", key)))


def read_all(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=1000) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)


def ended(child: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    """Asks the worker to end; its log events, once it has ended well."""
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, errors
    return [msgspec.json.decode(line) for line in errors.splitlines()]


def test_it_trims_what_is_done_and_says_so(settings: Settings, client: Client, keys: Keys, start: Start) -> None:
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(500))
    read_all(settings)
    child = start(CLAUDE_COMM_KEEP_S="0")
    wait_until(lambda: bool(client.run(heartbeats.workers_alive(keys, JANITOR_WORKER, now_ms=now_ms()))))
    assert length(client, keys.inbox("sink")) == 500
    last = client.data.one(Command(("XREVRANGE", keys.inbox("sink"), "+", "-", "COUNT", 1)))[0][0].decode()
    told = {keys.inbox("sink"): last}
    client.run(projection_progress.report(keys, "p", told, durable=told, now_ms=now_ms()))
    wait_until(lambda: length(client, keys.inbox("sink")) == 1)
    (trimmed,) = [line for line in ended(child) if line["event"] == "janitor.trimmed"]
    assert trimmed["entries"] == 499
    assert int(str(trimmed["bytes"])) > 499 * 100
    assert not client.run(heartbeats.workers_alive(keys, JANITOR_WORKER, now_ms=now_ms()))


def test_what_is_due_is_moved_without_a_consumer(settings: Settings, client: Client, keys: Keys, start: Start) -> None:
    start()
    with Publisher("src", settings=settings) as publisher:
        for number in range(150):
            publisher.publish("sink", number, delay_s=0.3)
        publisher.publish("topic:news", "x", delay_s=0.3)
        publisher.publish("sink", "not yet", delay_s=3600)
    wait_until(lambda: length(client, keys.inbox("sink")) == 150)
    wait_until(lambda: length(client, keys.topic("news")) == 1)
    assert ask(client, "ZCARD", keys.later("sink")) == 1


def hang(client: Client, keys: Keys, instance: str, beat_ms: int | None) -> None:
    """A consumer with two deliveries in its hands, whose last heartbeat was then."""
    reply = ask(client, "XREADGROUP", "GROUP", "sink", instance, "COUNT", 2, "STREAMS", keys.inbox("sink"), ">")
    assert reply
    if beat_ms is not None:
        ask(client, "ZADD", keys.instances, beat_ms, f"sink/{instance}")


def consumers(client: Client, keys: Keys) -> dict[str, int]:
    """Who is in the group, with how many deliveries."""
    found = ask(client, "XINFO", "CONSUMERS", keys.inbox("sink"), "sink")
    assert isinstance(found, list)
    return {one[b"name"].decode(): one[b"pending"] for one in found}


@pytest.mark.long
def test_what_a_dead_instance_held_is_claimable_at_once_and_the_living_keep_theirs(
    settings: Settings, client: Client, keys: Keys, start: Start
) -> None:
    """Without waiting for a lease of an hour; the attempt counts, so that a killer of consumers comes to its end."""
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(6))
    ask(client, "XGROUP", "CREATE", keys.inbox("sink"), "sink", "0")
    hang(client, keys, "dead", now_ms() - GONE_MS - 1000)
    hang(client, keys, "slow", now_ms() - GONE_MS - 1000)
    hang(client, keys, "bare", None)
    for instance in ("dead", "slow"):
        client.run(registration.register(keys, contract("sink", accepts=True), instance=instance))
    child = start()
    with Consumer("sink", settings=settings, lease_s=3600) as consumer:
        got = []

        def claims() -> bool:
            # Its clock is behind, but it beats.
            ask(client, "ZADD", keys.instances, now_ms() - GONE_MS - 1000, "sink/slow")
            consumer._subscription._reclaimer.at = 0.0
            got.extend(consumer.read(wait_s=0.1))
            return len(got) == 2

        wait_until(claims)
        assert [(delivery.payload(), delivery.attempts) for delivery in got] == [(0, 2), (1, 2)]
        wait_until(lambda: [claims(), "dead" not in consumers(client, keys)][1])
        assert {name: count for name, count in consumers(client, keys).items() if name in ("slow", "bare")} == {
            "slow": 2,
            "bare": 2,
        }
    reaped = [line for line in ended(child) if line["event"] == "janitor.reaped"]
    assert sum(int(str(line["given_back"])) for line in reaped) == 2
    assert [line["left"] for line in reaped if line["left"]] == [["sink/dead"]]
    # Who agreed with what it ran hears of it.
    told = [(change.kind, change.by) for change in client.run(changes.history(keys, "sink"))]
    assert told.count(("left", "dead")) == 1
    assert ("left", "slow") not in told


def test_a_consumer_without_a_heartbeat_is_forgotten_after_a_day(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing is pending for it."""
    inbox = keys.inbox("sink")
    ask(client, "XGROUP", "CREATE", inbox, "sink", "0", "MKSTREAM")
    ask(client, "XADD", inbox, "*", "e", "x")
    for name in ("idle", "busy"):
        ask(client, "XREADGROUP", "GROUP", "sink", name, "COUNT", 1, "STREAMS", inbox, ">")
    ask(client, "XCLAIM", inbox, "sink", "busy", 0, *_pending(client, inbox), "IDLE", 0, "JUSTID")
    assert client.run(reap.reap({inbox: ["sink"]}, set())).left == ()
    monkeypatch.setattr(reap, "FORGET_MS", 0)
    assert client.run(reap.reap({inbox: ["sink"]}, set())).left == ("sink/idle",)
    assert consumers(client, keys) == {"busy": 1}
    assert FORGET_MS == 24 * 3600 * 1000


def _pending(client: Client, stream: str) -> list[bytes]:
    found = ask(client, "XPENDING", stream, "sink", "-", "+", 10)
    assert isinstance(found, list)
    return [row[0] for row in found]


@pytest.mark.long
def test_several_at_once_killed_at_random_lose_nothing(
    settings: Settings, client: Client, keys: Keys, start: Start
) -> None:
    """With a projection, a consumer and a publisher at work: all that was sent is handled and stored once."""
    keep = {"CLAUDE_COMM_KEEP_S": "0"}
    start("progress")
    janitors = [start(**keep), start(**keep)]
    handled: list[int] = []
    total = 30_000
    with Publisher("src", settings=settings) as publisher, Consumer("sink", settings=settings, batch=500) as consumer:
        for first in range(0, total, 1000):
            publisher.publish_many("sink", range(first, first + 1000))
            while len(handled) < first + 1000:
                for delivery in consumer.read():
                    handled.append(delivery.payload())
                    consumer.ack(delivery)
            consumer.flush()
            if first % 5000 == 0:
                janitors[0].kill()
                janitors = [*janitors[1:], start(**keep)]
            time.sleep(0.1)
    assert handled == list(range(total))
    with open_database(settings.database) as database:
        wait_until(
            lambda: database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages") == [(total, total)],
        )
    wait_until(lambda: length(client, keys.inbox("sink")) == 1, what="the trimming")
    wait_until(lambda: length(client, keys.events("sink")) == 1, what="the trimming of the events")


def test_the_logs_of_the_home_stay_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that its worker keeps open is cut, and goes on behind what was kept of it."""
    monkeypatch.setattr(janitor, "MAX_LOG_BYTES", 1_000)
    (home / "logs").mkdir()
    log = home / "logs" / "progress.log"
    url = f"unix://{private_server.ensure(home)}"
    with log.open("ab", buffering=0) as written, connect(Settings(home=home, url=url)) as client:
        written.write(b"x" * 1_500 + b"\n")
        worker = janitor.Janitor(client, Settings(home=home, url=url), threading.Event(), get_logger("error"))
        worker._rotate()
        written.write(b"after\n")
        worker._rotate()
    assert log.read_bytes() == b"after\n"
    assert (home / "logs" / "progress.log.1").read_bytes() == b"x" * 1_500 + b"\n"
