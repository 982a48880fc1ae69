"""Receipts: a projection tells how far it is after its commit, and lives as long as it tells."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.store import checkpoints, watermarks
from claude_comm.store.catch_up import catch_up, step
from claude_comm.store.database import open_database
from claude_comm.store.survey import survey
from claude_comm.store.watermarks import WatermarkReporter, name
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_catching_up_tells_the_checkpoints_of_this_projection(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(10))
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
        stored = {key: point.entry_id for key, point in checkpoints.load(database).items()}
        key = keys.stored(name(database))
    assert client.run(projection_progress.reported(keys, since_ms=now_ms() - 1000)) == [stored]
    assert client.run(projection_progress.reported(keys, since_ms=now_ms() + 1000)) == []
    assert 0 < client.control.one(Command(("PTTL", key))) <= 24 * 3600 * 1000


def test_several_projections_tell_each_for_itself(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    client.run(projection_progress.report(keys, "one", {"s": "5-1"}, now_ms=now_ms()))
    client.run(projection_progress.report(keys, "two", {"s": "4-1", "t": "1-1"}, now_ms=now_ms()))
    told = client.run(projection_progress.reported(keys, since_ms=0))
    assert sorted(told, key=len) == [{"s": "5-1"}, {"s": "4-1", "t": "1-1"}]


def test_the_worker_tells_what_it_stored_and_that_it_lives(
    settings: Settings, client: Client, environ: dict[str, str]
) -> None:
    keys = Keys(settings.namespace)
    process = subprocess.Popen([sys.executable, "-m", "workers.progress"], env=environ)
    try:
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("sink", 1)
        (last,) = client.data.one(Command(("XRANGE", keys.inbox("sink"), "-", "+")))
        wait_until(
            lambda: any(
                stored.get(keys.inbox("sink")) == last[0].decode()
                for stored in client.run(projection_progress.reported(keys, since_ms=now_ms() - 5000))
            )
        )
        later = now_ms()
        wait_until(lambda: bool(client.run(projection_progress.reported(keys, since_ms=later))), what="a sign of life")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def follow(client: Client, settings: Settings, reporter: WatermarkReporter) -> None:
    """One turn of a worker that follows."""
    with open_database(settings.database) as database:
        seen = survey(client, database, Keys(settings.namespace))
        if seen.streams:
            step(client, database, seen.streams.values(), count=1000, max_bytes=settings.max_envelope_bytes)
        reporter.report(client, database, Keys(settings.namespace))


def settled(client: Client, settings: Settings) -> dict[str, str]:
    (told,) = client.run(projection_progress.projections(Keys(settings.namespace), since_ms=0))
    return dict(told.durable)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name_, value in (("DURABLE_AFTER_MS", 600), ("SYNC_EVERY_MS", 50), ("REPORT_EVERY_MS", 0), ("REPEAT_MS", 50)):
        monkeypatch.setattr(watermarks, name_, value)


@pytest.mark.usefixtures("quick")
def test_what_is_stored_is_settled_when_all_have_seen_it_and_it_is_on_the_disk(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    reporter, inbox = WatermarkReporter(follows=True), Keys(settings.namespace).inbox("sink")
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1)
        began = time.monotonic()
        follow(client, settings, reporter)
        assert settled(client, settings) == {}
        assert synced
        (stored,) = client.run(projection_progress.reported(Keys(settings.namespace), since_ms=0))

        def lets_go() -> bool:
            follow(client, settings, reporter)
            return settled(client, settings) == stored

        wait_until(lets_go)
        assert time.monotonic() - began >= 0.6
        publisher.publish("sink", 2)
        follow(client, settings, reporter)
        assert settled(client, settings) == stored
        (told,) = client.run(projection_progress.projections(Keys(settings.namespace), since_ms=0))
        assert told.stored[inbox] > told.durable[inbox]
        assert told.counts[inbox] == 2


@pytest.mark.usefixtures("quick")
def test_when_a_stream_moves_backwards_nothing_is_settled_until_it_is_stored_again(
    settings: Settings, client: Client
) -> None:
    keys = Keys(settings.namespace)
    reporter, inbox = WatermarkReporter(follows=True), keys.inbox("sink")
    client.data.one(Command(("SADD", keys.streams, inbox)))
    client.data.one(Command(("XADD", inbox, "9000000000000-1", "e", "x")))
    wait_until(lambda: [follow(client, settings, reporter), settled(client, settings) != {}][1] is True)
    client.data.one(Command(("DEL", inbox)))
    client.data.one(Command(("XADD", inbox, "5-1", "e", "y")))
    follow(client, settings, reporter)
    assert settled(client, settings) == {}
    (told,) = client.run(projection_progress.projections(keys, since_ms=0))
    assert told.done(inbox) == "0-0"


def test_who_catches_up_once_settles_nothing_and_takes_nothing_back(settings: Settings, client: Client) -> None:
    """A reading command, beside the worker of the same database."""
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1)
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
        assert settled(client, settings) == {}
        client.run(projection_progress.report(keys, name(database), {}, durable={"s": "1-1"}, now_ms=now_ms()))
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 2)
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
    assert settled(client, settings) == {"s": "1-1"}


@pytest.mark.long
def test_an_outbox_sends_nothing_twice_although_all_is_trimmed_at_once(
    settings: Settings, client: Client, tmp_path: Path, environ: dict[str, str]
) -> None:
    """What is trimmed was told so long before that the outbox has forgotten it; with the real waits of both."""
    keys = Keys(settings.namespace)
    environ = {**environ, "CLAUDE_COMM_KEEP_S": "0"}
    workers = [
        subprocess.Popen([sys.executable, "-m", f"workers.{worker}"], env=environ, stderr=subprocess.DEVNULL)
        for worker in ("progress", "janitor")
    ]
    try:
        with (
            Publisher("src", settings=settings, outbox=tmp_path / "src.outbox") as publisher,
            Consumer("sink", settings=settings) as consumer,
        ):
            handled: list[int] = []

            def handle() -> bool:
                for delivery in consumer.read(wait_s=0.1):
                    handled.append(delivery.payload())
                    consumer.ack(delivery)
                return bool(client.data.one(Command(("XLEN", keys.inbox("sink")))) == 1)

            for first in range(0, 1000, 100):
                publisher.publish_many("sink", range(first, first + 100))
                handle()
            wait_until(handle, what="the trimming")
            assert publisher._outbox is not None
            outbox = publisher._outbox.outbox
            wait_until(lambda: outbox.held_bytes == 0, what="an empty outbox")
            assert handled == list(range(1000))
            (added,) = (client.data.one(Command(("XINFO", "STREAM", keys.inbox("sink"))))[b"entries-added"],)
            assert added == 1000
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
            worker.wait(PATIENCE_S)


def test_a_clock_that_is_put_back_does_not_silence_a_projection(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, wall_ns, ahead_ns = Keys(settings.namespace), time.time_ns, [3_600_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + ahead_ns[0])
    reporter = WatermarkReporter()
    with Publisher("src", settings=settings) as publisher, open_database(settings.database) as database:
        publisher.publish("sink", 1)
        follower = survey(client, database, keys).streams.values()
        step(client, database, follower, count=9, max_bytes=settings.max_envelope_bytes)
        reporter.report(client, database, keys)
        ahead_ns[0] = 0
        publisher.publish("sink", 2)
        step(client, database, follower, count=9, max_bytes=settings.max_envelope_bytes)
        stored = {key: point.entry_id for key, point in checkpoints.load(database).items()}

        def told() -> bool:
            reporter.report(client, database, keys)
            return stored in client.run(projection_progress.reported(keys, since_ms=now_ms() - 5000))

        wait_until(told, what="a receipt by the clock as it is now")


def test_projections_live_by_the_server_s_clock(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose own clock is hours behind is not taken for silent: what it lacks is not trimmed."""
    keys = Keys(settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1)
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    with open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
    assert len(client.run(projection_progress.awaited(keys, 5.0))) == 1
