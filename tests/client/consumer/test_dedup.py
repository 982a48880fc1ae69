"""Copies of messages: passed over within the window, and never before the first one was handled."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncConsumer, Consumer, Module, Settings
from claude_comm.client.identity import identify
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.progress.events import Duplicates, Handled
from claude_comm.store.counters import DUPLICATES, counters
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import events, pending, project, publish
from tests.support.waiting import PATIENCE_S, wait_until


def put(settings: Settings, client: Client, *payloads: object, copies: int = 1) -> None:
    """Each message so often, one copy after all the others."""
    identity = identify("src", settings)
    bodies = [identity.encode(identity.envelope("sink", payload)) for payload in payloads]
    for body in bodies * copies:
        client.data.one(Command(("XADD", identity.keys.inbox("sink"), "*", "e", body)))


def handle_all(consumer: Consumer) -> list[Any]:
    seen = []
    while deliveries := consumer.read(wait_s=0.05):
        for delivery in deliveries:
            seen.append(delivery.payload())
            consumer.ack(delivery)
    return seen


def duplicates(client: Client, keys: Keys) -> list[str]:
    told = [event for event in events(client, keys, "sink") if isinstance(event, Duplicates)]
    return [settled.id for event in told for settled in event.deliveries]


def test_a_copy_of_a_handled_message_is_acked_and_not_handed_out(
    settings: Settings, client: Client, keys: Keys
) -> None:
    put(settings, client, *range(10))
    put(settings, client, "x", copies=3)
    with Consumer("sink", settings=settings, dedup=100) as consumer:
        assert handle_all(consumer) == [*range(10), "x"]
    assert pending(client, keys, "sink") == 0
    assert len(duplicates(client, keys)) == 2
    handled = [
        one.id for event in events(client, keys, "sink") if isinstance(event, Handled) for one in event.deliveries
    ]
    assert len(handled) == len(set(handled)) == 11
    project(settings, client, keys)
    with open_database(settings.database) as database:
        assert counters(database, DUPLICATES) == {"sink": 2}


def test_without_a_window_every_copy_is_handed_out(settings: Settings, client: Client) -> None:
    put(settings, client, "x", copies=3)
    with Consumer("sink", settings=settings) as consumer:
        assert handle_all(consumer) == ["x"] * 3


def test_beyond_the_window_a_copy_is_handled_again(settings: Settings, client: Client) -> None:
    """The memory is bounded: what was handled longest ago is forgotten."""
    put(settings, client, *range(10), copies=2)
    with Consumer("sink", settings=settings, dedup=4, batch=1) as consumer:
        assert handle_all(consumer) == [*range(10), *range(10)]
    put(settings, client, *range(3), copies=2)
    with Consumer("sink", settings=settings, dedup=4, batch=1) as consumer:
        assert handle_all(consumer) == [0, 1, 2]


def test_a_copy_waits_for_the_first_one_and_is_handled_if_that_one_is_not(settings: Settings, client: Client) -> None:
    put(settings, client, "x", copies=2)
    with Consumer("sink", settings=settings, dedup=10) as consumer:
        (first,) = consumer.read(wait_s=0.05)
        assert consumer.read(wait_s=0.05) == []
        consumer.fail(first, "no")
        (second,) = consumer.read(wait_s=0.05)
        assert second.payload() == "x"
        consumer.ack(second)


def test_a_retried_message_is_no_copy(settings: Settings, client: Client, keys: Keys) -> None:
    put(settings, client, "x")
    with Consumer("sink", settings=settings, dedup=10) as consumer:
        (first,) = consumer.read()
        consumer.retry(first, wait_s=0, reason="not yet")
        (again,) = consumer.read()
        assert again.attempts == 2
        consumer.ack(again)
    assert duplicates(client, keys) == []


def test_the_window_on_the_server_survives_a_restart_and_holds_for_other_instances(
    settings: Settings, client: Client, keys: Keys
) -> None:
    put(settings, client, *range(3), copies=2)
    with Consumer("sink", settings=settings, dedup_s=60, batch=3) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
    with Consumer("sink", settings=settings, dedup_s=60) as other:
        assert handle_all(other) == []
    assert len(duplicates(client, keys)) == 3
    assert 0 < client.data.one(Command(("PTTL", keys.seen("sink")))) <= 60_000


def test_the_window_on_the_server_ends_with_its_time(settings: Settings, client: Client, keys: Keys) -> None:
    put(settings, client, "x", copies=2)
    with Consumer("sink", settings=settings, dedup_s=0.2, batch=1) as consumer:
        consumer.ack(consumer.read()[0])
    wait_until(lambda: not client.data.one(Command(("EXISTS", keys.seen("sink")))))
    with Consumer("sink", settings=settings, dedup_s=0.2) as consumer:
        assert handle_all(consumer) == ["x"]


def test_the_same_id_of_another_source_is_another_message(settings: Settings, client: Client) -> None:
    for source in ("a", "ab"):
        identity = identify(source, settings)
        made = identity.envelope("sink", source)
        body = identity.encode(msgspec.structs.replace(made, id="bc" if source == "a" else "c"))
        client.data.one(Command(("XADD", identity.keys.inbox("sink"), "*", "e", body)))
    with Consumer("sink", settings=settings, dedup_s=60) as consumer:
        assert handle_all(consumer) == ["a", "ab"]
    with Consumer("sink", settings=settings, dedup_s=60) as consumer:
        put(settings, client, "other")
        assert handle_all(consumer) == ["other"]


@pytest.mark.parametrize("window", [{"dedup": 100}, {"dedup_s": 60}])
def test_copies_are_handled_once_however_many_hands_there_are(
    settings: Settings, client: Client, window: dict[str, Any]
) -> None:
    """The copies are read while the first one is being handled."""
    put(settings, client, *range(20), copies=4)
    module, lock, seen = Module("sink", settings=settings, concurrency=8, **window), threading.Lock(), []

    @module.handles()
    def handle(payload: int) -> None:
        with lock:
            seen.append(payload)
        threading.Event().wait(0.01)

    with running(module):
        wait_until(lambda: len(seen) >= 20 and pending(client, Keys(settings.namespace), "sink") == 0)
    assert sorted(seen) == list(range(20))


def test_the_asyncio_consumer_has_a_window_too(settings: Settings, client: Client) -> None:
    put(settings, client, "x", copies=2)

    async def scenario() -> list[Any]:
        seen = []
        async with AsyncConsumer("sink", settings=settings, dedup=10) as consumer:
            while deliveries := await consumer.read(wait_s=0.05):
                for delivery in deliveries:
                    seen.append(delivery.payload())
                    consumer.ack(delivery)
        return seen

    assert asyncio.run(scenario()) == ["x"]


def test_what_a_killed_instance_had_not_acked_yet_is_in_no_window(settings: Settings, environ: dict[str, str]) -> None:
    """A handler whose end nobody recorded runs again: at least once, still."""
    script = (
        "import os, signal\nfrom claude_comm import Consumer\nc = Consumer('sink', instance='one', dedup_s=60)\n"
        "(d,) = c.read()\nc.ack(d)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    publish(settings, "sink", "x")
    subprocess.run([sys.executable, "-c", script], check=False, env=environ, timeout=PATIENCE_S)
    with Consumer("sink", settings=settings, instance="one", dedup_s=60) as consumer:
        assert handle_all(consumer) == ["x"]
