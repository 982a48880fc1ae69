"""Receipts: a projection tells how far it is after its commit, and lives as long as it tells."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from claude_comm import Publisher, Settings
from claude_comm.drive.blocking import Links
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import receipts
from claude_comm.store import checkpoints
from claude_comm.store.catch_up import catch_up, step, survey
from claude_comm.store.database import open_database
from claude_comm.store.telling import Teller, name
from tests.conftest import wait_until


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_catching_up_tells_the_checkpoints_of_this_projection(settings: Settings, links: Links) -> None:
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(10))
    with open_database(settings.database) as database:
        catch_up(links, database, keys, max_bytes=settings.max_envelope_bytes)
        stored = {key: point.entry_id for key, point in checkpoints.load(database).items()}
        key = keys.stored(name(database))
    assert links.run(receipts.told(keys, since_ms=now_ms() - 1000)) == [stored]
    assert links.run(receipts.told(keys, since_ms=now_ms() + 1000)) == []
    assert 0 < links.control.one(Command(("PTTL", key))) <= 24 * 3600 * 1000


def test_several_projections_tell_each_for_itself(settings: Settings, links: Links) -> None:
    keys = Keys(settings.namespace)
    links.run(receipts.tell(keys, "one", {"s": "5-1"}, now_ms=now_ms()))
    links.run(receipts.tell(keys, "two", {"s": "4-1", "t": "1-1"}, now_ms=now_ms()))
    told = links.run(receipts.told(keys, since_ms=0))
    assert sorted(told, key=len) == [{"s": "5-1"}, {"s": "4-1", "t": "1-1"}]


def test_the_worker_tells_what_it_stored_and_that_it_lives(
    settings: Settings, links: Links, environ: dict[str, str]
) -> None:
    keys = Keys(settings.namespace)
    process = subprocess.Popen([sys.executable, "-m", "workers.progress"], env=environ, stderr=subprocess.DEVNULL)
    try:
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("sink", 1)
        (last,) = links.data.one(Command(("XRANGE", keys.inbox("sink"), "-", "+")))
        wait_until(
            lambda: any(
                stored.get(keys.inbox("sink")) == last[0].decode()
                for stored in links.run(receipts.told(keys, since_ms=now_ms() - 5000))
            )
        )
        later = now_ms()
        wait_until(lambda: bool(links.run(receipts.told(keys, since_ms=later))), what="a sign of life")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_a_clock_that_is_put_back_does_not_silence_a_projection(
    settings: Settings, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, wall_ns, ahead_ns = Keys(settings.namespace), time.time_ns, [3_600_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + ahead_ns[0])
    teller = Teller()
    with Publisher("src", settings=settings) as publisher, open_database(settings.database) as database:
        publisher.publish("sink", 1)
        follower = survey(links, database, keys).streams.values()
        step(links, database, follower, count=9, max_bytes=settings.max_envelope_bytes)
        teller.tell(links, database, keys)
        ahead_ns[0] = 0
        publisher.publish("sink", 2)
        step(links, database, follower, count=9, max_bytes=settings.max_envelope_bytes)
        stored = {key: point.entry_id for key, point in checkpoints.load(database).items()}

        def told() -> bool:
            teller.tell(links, database, keys)
            return stored in links.run(receipts.told(keys, since_ms=now_ms() - 5000))

        wait_until(told, within_s=5, what="a receipt by the clock as it is now")
