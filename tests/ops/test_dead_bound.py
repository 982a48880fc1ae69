"""What a module has buried is bounded: the oldest go, counted and shown; names that nobody has are shown, too."""

from __future__ import annotations

import json
import threading
import time

import msgspec
import pytest

from claude_comm import Consumer, Module, Publisher, Settings
from claude_comm.cli import status_display, status_report
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import dead, registration
from claude_comm.ops.forget import forget
from claude_comm.pipeline.plan import collector
from claude_comm.registry.contracts import contract
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.waiting import wait_until
from workers import janitor


@pytest.fixture
def buried(settings: Settings, client: Client, keys: Keys) -> int:
    """How many the module `sink` has buried."""
    with Publisher("a", settings=settings) as publisher, Consumer("sink", settings=settings) as consumer:
        publisher.publish_many("sink", range(10))
        wait_until(lambda: [consumer.fail(delivery, "no") for delivery in consumer.read(wait_s=0.1)] == [])
    return int(client.data.one(Command(("XLEN", keys.dead("sink")))))


def test_the_janitor_drops_the_oldest_and_says_so(
    settings: Settings, client: Client, keys: Keys, buried: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert buried == 10
    bounded = msgspec.structs.replace(settings, keep_dead=4)
    before = client.data.one(Command(("XRANGE", keys.dead("sink"), "-", "+")))
    stop = threading.Event()
    worker = janitor.Janitor(client, bounded, stop, get_logger("info-json"))
    working = threading.Thread(target=worker.run)
    working.start()
    wait_until(lambda: client.data.one(Command(("XLEN", keys.dead("sink")))) == 4)
    stop.set()
    working.join()
    assert client.data.one(Command(("XRANGE", keys.dead("sink"), "-", "+"))) == before[-4:], "the newest stay"
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "janitor.dead_dropped" in line]
    assert [(line["module"], line["messages"]) for line in lines] == [("sink", 6)]
    assert status_report.look(bounded).dropped == {"sink": 6}
    client.run(forget(keys, "sink", now_ms=time.time_ns() // 1_000_000))
    assert client.run(dead.dropped(keys)) == {}


def test_what_is_within_the_bound_stays(client: Client, keys: Keys, buried: int) -> None:
    assert client.run(dead.drop_oldest(keys, "sink", 10)) == 0
    assert client.run(dead.lengths(keys)) == {"sink": 10}
    assert client.run(dead.dropped(keys)) == {}


def test_status_names_the_inboxes_of_names_that_nobody_has(
    settings: Settings, capfd: pytest.CaptureFixture[str], client: Client, keys: Keys
) -> None:
    module = Module("oracle", settings=settings)

    @module.handles()
    def handle(_payload: int) -> None: ...

    with running(module), Publisher("a", settings=settings) as publisher:
        publisher.publish_many("orcale", [1, 2])
        publisher.publish(collector("a run"), 1)
        publisher.publish("oracle", 3)
        wait_until(lambda: bool(client.data.one(Command(("HEXISTS", keys.modules, "oracle")))))
        report = status_report.look(settings)
    assert report.unknown == {"orcale": 2}
    status_display.show(report)
    assert "nobody has   orcale (2): messages wait there; `claude-comm forget NAME`" in capfd.readouterr().out
    client.run(forget(keys, "orcale", now_ms=time.time_ns() // 1_000_000))
    assert status_report.look(settings).unknown == {}


def test_status_names_the_modules_whose_contracts_are_all_retired(
    settings: Settings, capfd: pytest.CaptureFixture[str], client: Client, keys: Keys
) -> None:
    for name, versions in (("gone", ("1.0.0", "2.0.0")), ("half", ("1.0.0", "2.0.0")), ("whole", ("1.0.0",))):
        for version in versions:
            kind = {"type": "integer", "minimum": int(version[0])}
            client.run(registration.register(keys, contract(name, version=version, accepts={"message": kind})))
    client.run(registration.retire(keys, "gone", now_us=time.time_ns() // 1000))
    client.run(registration.retire(keys, "half", version="1.0.0", now_us=time.time_ns() // 1000))
    report = status_report.look(settings)
    assert report.retired == {"gone": 2}
    status_display.show(report)
    assert "retired      contracts of gone (2); `claude-comm forget NAME` removes them" in capfd.readouterr().out
    client.run(forget(keys, "gone", now_ms=time.time_ns() // 1_000_000))
    assert status_report.look(settings).retired == {}
