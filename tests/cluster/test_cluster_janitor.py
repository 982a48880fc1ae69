"""The janitor on three masters: what is done is trimmed wherever it lies, and limits hold publishers."""

from __future__ import annotations

import threading
import time

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import InboxFull
from claude_comm.names import Keys
from claude_comm.ops import heartbeats, projection_progress
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until
from workers.janitor import Janitor

MODULES = [f"m{number}" for number in range(9)]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def last(client: Client, key: str) -> str:
    (newest,) = client.data.one(Command(("XREVRANGE", key, "+", "-", "COUNT", 1)))
    return str(newest[0].decode())


def lengths(client: Client, keys: Keys) -> set[int]:
    return {client.data.one(Command(("XLEN", keys.inbox(name)))) for name in MODULES}


def test_a_round_moves_clears_up_and_trims_on_every_master(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        for name in MODULES:
            publisher.publish_many(name, range(50))
            with Consumer(name, settings=settings, instance="gone") as consumer:
                for delivery in consumer.read():
                    consumer.ack(delivery)
            publisher.publish(name, "due", delay_s=0.01)
            client.data.one(Command(("XGROUP", "CREATECONSUMER", keys.inbox(name), name, "gone")))
            client.run(heartbeats.beat(keys.instances, f"{name}/gone", now_ms=now_ms() - 3_600_000))
    eager = msgspec.structs.replace(settings, keep_s=0.0, keep_entries=0)
    told = {keys.inbox(name): last(client, keys.inbox(name)) for name in MODULES}
    client.run(projection_progress.report(keys, "p", told, durable=told))
    janitor = Janitor(client, eager, threading.Event(), get_logger("error"))

    def all_moved() -> bool:
        janitor._at = dict.fromkeys(janitor._at, 0.0)
        janitor._turn()
        return not any(client.data.one(Command(("ZCARD", keys.later(name)))) for name in MODULES)

    janitor._turn()
    wait_until(all_moved)
    # The last one that is done, and what was due.
    assert lengths(client, keys) == {2}
    for name in MODULES:
        names = client.data.one(Command(("XINFO", "CONSUMERS", keys.inbox(name), name)))
        assert names == []


def test_a_limit_holds_there_too(settings: Settings) -> None:
    limited = msgspec.structs.replace(settings, max_lag=20)
    with Publisher("src", settings=limited, on_lag="refuse") as publisher:
        for name in MODULES:
            publisher.publish_many(name, range(20))
            with pytest.raises(InboxFull):
                publisher.publish(name, 1)
