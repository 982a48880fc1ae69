"""On three masters, the ways of a message: sent, handled, tried again, buried, sent back, agreed on, told."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncConsumer, AsyncPublisher, Consumer, Context, Module, Publisher, RetryPolicy, Settings
from claude_comm.delivery.retention import Keep, tightest
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError
from claude_comm.names import NEGOTIATION_WORKER, Keys
from claude_comm.ops import heartbeats, registration, server
from claude_comm.registry.contracts import contract
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.masters import Masters, lone_server, modules_on_all
from tests.support.streams import events
from tests.support.waiting import PATIENCE_S, wait_until
from workers import negotiation

COMMAND = [sys.executable, "-m", "claude_comm"]
NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
INTEGER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def stored(settings: Settings) -> list[tuple[Any, ...]]:
    with connect(settings) as client, open_database(settings.database) as database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=100_000)
        return database.rows("SELECT target, data FROM messages ORDER BY entry_id, number")


def comm(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextmanager
def running(module: Module) -> Iterator[None]:
    thread = threading.Thread(target=module.run)
    thread.start()
    try:
        yield
    finally:
        module.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_what_is_published_at_once_to_many_is_on_all_masters_and_read_in_order(
    settings: Settings, masters: Masters, face: str
) -> None:
    names = modules_on_all(masters, settings.namespace)
    if face == "blocking":
        _publish(settings, names)
    else:
        asyncio.run(_publish_async(settings, names))
    assert [len(node.streams(settings.namespace)) for node in masters.nodes] == [2, 2, 2]
    for name in names:
        got = asyncio.run(_read_async(settings, name)) if face == "asyncio" else _read(settings, name)
        assert got == list(range(200)), name
    assert len(stored(settings)) == 200 * len(names)


def _publish(settings: Settings, names: list[str]) -> None:
    with Publisher("source", settings=settings) as publisher:
        for name in names:
            publisher.publish_many(name, range(100))
        for number in range(100, 200):
            for name in names:
                publisher.publish_soon(name, number)


async def _publish_async(settings: Settings, names: list[str]) -> None:
    async with AsyncPublisher("source", settings=settings) as publisher:
        await asyncio.gather(*(publisher.publish_many(name, range(100)) for name in names))
        await asyncio.gather(*(publisher.publish(name, number) for number in range(100, 200) for name in names))


def _read(settings: Settings, name: str) -> list[int]:
    got: list[int] = []
    with Consumer(name, settings=settings, batch=64) as consumer:
        while len(got) < 200:
            for delivery in consumer.read():
                got.append(delivery.payload())
                consumer.ack(delivery)
    return got


async def _read_async(settings: Settings, name: str) -> list[int]:
    got: list[int] = []
    async with AsyncConsumer(name, settings=settings, batch=64) as consumer:
        while len(got) < 200:
            for delivery in await consumer.read():
                got.append(delivery.payload())
                consumer.ack(delivery)
    return got


def test_topics_and_inbox_of_one_consumer_are_on_different_masters(settings: Settings, masters: Masters) -> None:
    keys = Keys(settings.namespace)
    (module, *_) = modules_on_all(masters, settings.namespace, 3)
    topics: list[str] = []
    for number in range(100):
        owners = {masters.owner(keys.inbox(module)).port, *(masters.owner(keys.topic(one)).port for one in topics)}
        if masters.owner(keys.topic(f"t{number}")).port not in owners:
            topics.append(f"t{number}")
    assert len(topics) == 2
    with Consumer(module, topics=topics, settings=settings) as consumer:
        with Publisher("source", settings=settings) as publisher:
            publisher.publish(module, "own")
            for topic in topics:
                publisher.publish(f"topic:{topic}", topic)
                publisher.publish(f"topic:{topic}", f"{topic} later", delay_s=0.05)
        seen: list[str] = []

        def read() -> bool:
            for delivery in consumer.read(wait_s=0.2):
                seen.append(delivery.payload())
                consumer.ack(delivery)
            return len(seen) == 5

        wait_until(read)
    assert sorted(seen) == sorted(["own", *topics, *(f"{topic} later" for topic in topics)])


def test_a_handler_is_tried_again_then_buried_and_the_message_sent_back(
    settings: Settings, environ: dict[str, str]
) -> None:
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=3, first_wait_s=0.01))
    attempts: list[int] = []

    @module.handles()
    def handle(n: int, context: Context) -> None:
        attempts.append(n)
        if n == 1 and len(attempts) <= 3:
            raise ValueError("not yet")
        context.send("next", n)

    with Publisher("source", settings=settings) as publisher:
        publisher.publish("sink", 1)
    with running(module):
        wait_until(lambda: len(attempts) == 3)
        wait_until(lambda: "not yet" in comm(environ, "dead", "list").stdout)
        assert "1" in comm(environ, "dead", "redrive", "sink").stdout
        wait_until(lambda: len(attempts) == 4)
    listed = json.loads(comm(environ, "list", "--json").stdout)
    assert {(row["target"], row["status"]) for row in listed} == {("sink", "handled"), ("next", "sent")}


def test_answers_to_other_masters_are_recorded_together_once_each(
    settings: Settings, masters: Masters, client: Client, keys: Keys
) -> None:
    """They go ahead of the acks, and what records them with them: the acks bring it no second time."""
    desk, *askers = modules_on_all(masters, settings.namespace, 3)
    for asker in askers:
        with Publisher(asker, settings=settings) as publisher:
            for number in range(10):
                publisher.publish(desk, number, reply_to=f"{asker}/1")
    with Consumer(desk, settings=settings) as consumer:
        subscription = consumer._subscription
        for delivery in consumer.read():
            subscription.in_flight.ack(delivery, subscription.reply(delivery, delivery.payload()))
        client.run(subscription.settling())
    kinds = [type(event).__name__ for event in events(client, keys, desk)]
    assert kinds == ["PackedReplies", "Handled"]
    assert [client.data.one(Command(("XLEN", keys.replies(asker, "1")))) for asker in askers] == [10, 10]
    assert sorted(target for target, _ in stored(settings)) == sorted([*[desk] * 20, *askers * 10])


def test_an_outbox_forgets_what_the_projection_has(settings: Settings, masters: Masters, tmp_path: Path) -> None:
    """Its receipts are positions on streams of all masters."""
    names = modules_on_all(masters, settings.namespace, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("claude_comm.client.publisher.outbox_sender.SETTLE_S", 0.0)
        with Publisher("source", settings=settings, outbox=tmp_path / "outbox.db") as publisher:
            for name in names:
                publisher.publish_many(name, range(50))
            assert publisher._outbox is not None
            outbox = publisher._outbox.outbox
            assert outbox.held_bytes > 0
            assert len(stored(settings)) == 150
            wait_until(lambda: outbox.held_bytes == 0)


def test_who_asks_on_a_cluster_weighs_itself(settings: Settings, environ: dict[str, str]) -> None:
    with connect(settings) as client:
        client.run(registration.register(Keys(settings.namespace), contract("sink", accepts=NUMBER)))
    with Publisher("source", settings=settings) as publisher:
        assert publisher.negotiate("sink", INTEGER).decided_by == "caller"
        publisher.publish("sink", {"n": 1})
    ran = comm(environ, "worker", "negotiation")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "CLAUDE_COMM_CONTROL_URL" in ran.stderr
    assert [row["decided_by"] for row in json.loads(comm(environ, "agreements", "--json").stdout)] == ["caller"]


def test_with_a_control_server_the_worker_weighs_and_the_registry_is_there(
    settings: Settings, environ: dict[str, str], masters: Masters, patient_jobs: None
) -> None:
    with lone_server() as port:
        control = f"redis://127.0.0.1:{port}"
        both = msgspec.structs.replace(settings, control_url=control)
        keys = Keys(settings.namespace)
        environ["CLAUDE_COMM_CONTROL_URL"] = control
        with connect(both) as client, subprocess.Popen([*COMMAND, "worker", "negotiation"], env=environ) as worker:
            try:
                wait_until(
                    lambda: bool(client.run(heartbeats.workers_alive(keys, NEGOTIATION_WORKER, now_ms=_now_ms())))
                )
                client.run(registration.register(keys, contract("sink", accepts=NUMBER)))
                with Publisher("source", settings=both) as publisher:
                    assert publisher.negotiate("sink", INTEGER).decided_by == "worker"
                    publisher.publish("sink", {"n": 1})
                assert [target for target, _ in stored(both)] == ["sink"]
            finally:
                worker.send_signal(signal.SIGTERM)
        assert worker.returncode == 0
        found = {key for node in masters.nodes for key in node.ask("KEYS", f"{settings.namespace}:*")}
        assert {key for key in found if not key.endswith(b":events")} == {keys.inbox("sink").encode()}


def test_the_workers_that_can_run_are_started_and_follow(
    settings: Settings, environ: dict[str, str], masters: Masters
) -> None:
    """The projection is up to date soon after a message, although no read can wait on a cluster."""
    try:
        up = comm(environ, "up")
        assert (up.returncode, "negotiation" in up.stdout) == (0, False)
        assert "CLAUDE_COMM_CONTROL_URL" in up.stderr
        with open_database(settings.database) as database:
            with Publisher("source", settings=settings) as publisher:
                publisher.publish("first", 0)
                wait_until(lambda: database.rows("SELECT count(*) FROM messages") == [(1,)])
                publisher.publish("first", 1)
            wait_until(lambda: database.rows("SELECT count(*) FROM messages") == [(2,)])
        status = json.loads(comm(environ, "status", "--json").stdout)
        ports = {int(address.rpartition(":")[2].partition("/")[0]) for address in status["masters"]}
        assert ports == {node.port for node in masters.nodes}
        assert {facts["pid"] for facts in status["masters"].values()} == {node.process.pid for node in masters.nodes}
        assert (status["server"], status["workers"]["negotiation"]) == (None, None)
        assert "3 masters" in comm(environ, "status").stdout
        assert comm(environ, "status", "--check", "server").returncode == 0
    finally:
        assert comm(environ, "down").returncode == 0


def test_the_fullest_master_decides_how_much_stays(settings: Settings, masters: Masters) -> None:
    def keep() -> Keep:
        with connect(settings) as client:
            return tightest([server.keeping(facts, 60, 1_000) for facts in client.run_on_each(server.may_tell)])

    assert keep() == Keep(60_000, 1_000)
    for node in masters.nodes:
        try:
            node.ask("CONFIG", "SET", "maxmemory", 1_000_000_000_000)
            assert keep() == Keep(60_000, 1_000)
            node.ask("CONFIG", "SET", "maxmemory", 1_000)
            assert keep() == Keep(0, 0)
        finally:
            node.ask("CONFIG", "SET", "maxmemory", 0)


def test_jobs_do_not_run_on_a_cluster(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="CLAUDE_COMM_CONTROL_URL"):
        negotiation.run(settings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
