"""A master that is killed or stopped: what goes there fails soon and clearly, and the others are served."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import msgspec
import pytest

from claude_comm import AsyncPublisher, Consumer, Publisher
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport import pool as server_file
from claude_comm.transport.connect import connect
from tests.support.masters import Master, Masters, modules_on_all, three_masters
from tests.support.waiting import PATIENCE_S, wait_until
from workers.janitor import Janitor

# What an attempt costs a publisher that does not know yet that a master is away.
ATTEMPT_S = 1.5
ROUNDS = 20


@pytest.fixture(scope="module")
def own() -> Iterator[Masters]:
    """A cluster to kill, which has on its disk what it confirmed: nothing else runs on it."""
    with three_masters(node_timeout_ms=1000, fsync="always") as made:
        yield made


@pytest.fixture
def settings(own: Masters, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    return Settings(home=tmp_path, url=own.url, namespace=request.node.name[:40])


@pytest.fixture
def victim(own: Masters, settings: Settings) -> Iterator[Master]:
    """A master that has not the registry; back when the test ends."""
    registry = own.owner(Keys(settings.namespace).streams)
    chosen = own.other_than(registry)
    yield chosen
    chosen.process.send_signal(signal.SIGCONT)
    if chosen.process.poll() is not None:
        chosen.restart()
    for node in own.nodes:
        wait_until(lambda node=node: b"cluster_slots_pfail:0" in node.info() and b"slots_fail:0" in node.info())  # type: ignore[misc]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers that give up sooner: how long they try is shown by the first test."""
    monkeypatch.setattr("claude_comm.client.publisher.attempts.RETRY_WAITS_S", (0.05, 0.1))


def split(own: Masters, settings: Settings, victim: Master) -> tuple[list[str], list[str]]:
    """Modules whose inbox is on the victim, and the others."""
    names = modules_on_all(own, settings.namespace)
    keys = Keys(settings.namespace)
    lost = [name for name in names if own.owner(keys.inbox(name)) is victim]
    return lost, [name for name in names if name not in lost]


def kill(victim: Master) -> None:
    """Kills it when what it confirmed is in its file: while the disk is busy with a flush, a server that flushes every
    second confirms first and writes a little later."""
    wait_until(lambda: b"aof_buffer_length:0\r" in victim.ask("INFO", "persistence"))
    victim.kill()


def test_what_goes_to_a_killed_master_is_refused_and_the_rest_arrives_once(
    own: Masters, settings: Settings, victim: Master
) -> None:
    lost, kept = split(own, settings, victim)
    with Publisher("source", settings=settings) as publisher:
        for name in [*lost, *kept]:
            publisher.publish(name, "before")
        kill(victim)
        with pytest.raises(ServerUnreachable, match=str(victim.port)):
            publisher.publish(lost[0], "x")
        sent = {name: [publisher.publish_soon(name, n) for n in range(50)] for name in (lost[0], *kept)}
        wait([future for futures in sent.values() for future in futures], timeout=PATIENCE_S)
        assert all(isinstance(future.exception(0), ServerUnreachable) for future in sent[lost[0]])
        assert all(future.result(0) for name in kept for future in sent[name])
        for name in kept:
            stream = Keys(settings.namespace).inbox(name)
            assert own.owner(stream).ask("XLEN", stream) == 51, "sent again although it had arrived"
        _served_meanwhile(publisher, lost[0], kept[0])
        victim.restart()
        publisher.publish(lost[0], "after")
    with connect(settings) as client, open_database(settings.database) as database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=100_000)
        assert database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages") == [(227, 227)]


def _served_meanwhile(publisher: Publisher, lost: str, kept: str) -> None:
    """The master is known to be away: nothing waits behind what goes to it, one after the other or together."""
    started = time.monotonic()
    for number in range(ROUNDS):
        future = publisher.publish_soon(lost, number)
        publisher.publish(kept, number)
        assert isinstance(future.exception(PATIENCE_S), ServerUnreachable)
    assert time.monotonic() - started < ROUNDS * ATTEMPT_S


def test_the_same_in_asyncio(own: Masters, settings: Settings, victim: Master, impatient: None) -> None:
    lost, kept = split(own, settings, victim)

    async def scenario() -> None:
        async with AsyncPublisher("source", settings=settings) as publisher:
            await publisher.publish(lost[0], "before")
            victim.kill()
            names = [name for name in (lost[0], *kept) for _ in range(20)]
            told = await asyncio.gather(*(publisher.publish(name, "x") for name in names), return_exceptions=True)
        assert {name for name, one in zip(names, told, strict=True) if isinstance(one, ServerUnreachable)} == {lost[0]}
        assert {name for name, one in zip(names, told, strict=True) if isinstance(one, str)} == set(kept)

    asyncio.run(scenario())


def test_an_outbox_keeps_what_a_killed_master_did_not_take(
    own: Masters, settings: Settings, victim: Master, impatient: None, tmp_path: Path
) -> None:
    lost, kept = split(own, settings, victim)
    keys = Keys(settings.namespace)
    with Publisher("source", settings=settings, outbox=tmp_path / "outbox.db") as publisher:
        publisher.publish(lost[0], "first")
        victim.kill()
        futures = [publisher.publish_soon(name, n) for n in range(10) for name in (lost[0], kept[0])]
        assert all(future.result(PATIENCE_S) for future in futures)
        victim.restart()
        wait_until(lambda: victim.ask("XLEN", keys.inbox(lost[0])) >= 11)
        with connect(settings) as client, open_database(settings.database) as database:
            catch_up(client, database, keys, max_bytes=100_000)
            assert database.rows("SELECT count(*) FROM messages") == [(21,)]


def test_a_cluster_that_says_it_is_down_is_one_that_does_not_answer(
    own: Masters, settings: Settings, victim: Master, impatient: None
) -> None:
    """As servers are set by default: one master lost, none serves."""
    others = [node for node in own.nodes if node is not victim]
    _, kept = split(own, settings, victim)
    try:
        for node in others:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        victim.kill()
        wait_until(lambda: all(b"cluster_state:fail" in node.info() for node in others))
        with Publisher("source", settings=settings) as publisher, pytest.raises(ServerUnreachable, match="cluster"):
            publisher.publish(kept[0], "x")
    finally:
        for node in others:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")


def test_a_stopped_master_hangs_nobody(
    own: Masters, settings: Settings, victim: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and never answers; with the wait for a reply made short for the test."""
    monkeypatch.setattr(server_file, "REPLY_TIMEOUT_S", 0.5)
    lost, kept = split(own, settings, victim)
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        commands = [Command(("XLEN", keys.inbox(name))) for name in (lost[0], kept[0])]
        assert client.data.many(commands) == [0, 0]
        victim.process.send_signal(signal.SIGSTOP)
        silent, answered = client.data.many(commands, within_ms=500)
        assert (type(silent), answered) == (ServerUnreachable, 0)
        assert client.data.one(commands[1]) == 0


def test_no_seed_answers(tmp_path: Path) -> None:
    nowhere = Settings(home=tmp_path, url="redis+cluster://127.0.0.1:1,127.0.0.1:2")
    with connect(nowhere) as client, pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:2"):
        client.data.one(Command(("PING",)))


def test_the_janitor_trims_what_lies_on_the_other_masters(own: Masters, settings: Settings, victim: Master) -> None:
    lost, kept = split(own, settings, victim)
    keys = Keys(settings.namespace)
    eager = msgspec.structs.replace(settings, keep_s=0.0)
    with Publisher("source", settings=settings) as publisher, connect(eager) as client:
        told: dict[str, str] = {}
        for name in [*lost, *kept]:
            publisher.publish_many(name, range(30))
            with Consumer(name, settings=settings) as consumer:
                for delivery in consumer.read():
                    consumer.ack(delivery)
                    told[keys.inbox(name)] = delivery.entry.id
        client.run(projection_progress.report(keys, "p", told, durable=told))
        victim.kill()
        janitor = Janitor(client, eager, threading.Event(), get_logger("error"))
        with pytest.raises(ServerUnreachable):
            janitor._turn()
        for name in kept:
            assert own.owner(keys.inbox(name)).ask("XLEN", keys.inbox(name)) == 1
        victim.restart()
        janitor._turn()
        for name in lost:
            assert own.owner(keys.inbox(name)).ask("XLEN", keys.inbox(name)) == 1
