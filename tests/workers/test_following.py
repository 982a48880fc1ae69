"""The progress worker learns what is written to from news, and finds in rounds what nobody told of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_comm import Publisher, Settings
from claude_comm.effects import Command, Post
from claude_comm.envelope import encode
from claude_comm.names import Keys
from claude_comm.ops import consume, news
from claude_comm.ops.publish import publish
from claude_comm.runtime import private_server
from claude_comm.store import checkpoints
from claude_comm.store.database import open_database
from claude_comm.store.watermarks import name
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.facts import envelope
from tests.support.waiting import wait_until
from workers import following
from workers.progress import Follower

MANY = 400


@contextmanager
def follows(settings: Settings, *, control: Client | None = None) -> Iterator[Follower]:
    """A progress worker on a thread, once it has looked at everything."""
    stop = threading.Event()
    with connect(settings) as client:
        worker = Follower(
            Client(client.data, control.control) if control else client, settings, stop, get_logger("error")
        )
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            wait_until(lambda: worker._following._known is not None, what="it knows the streams")
            yield worker
        finally:
            stop.set()
            thread.join()


def stored(settings: Settings) -> int:
    with open_database(settings.database) as database:
        return int(database.rows("SELECT count(*) FROM messages")[0][0])


def append(client: Client, key: str, count: int = 1) -> None:
    """As an older release writes to a stream that it has announced: without news."""
    for _ in range(count):
        client.data.one(Command(("XADD", key, "*", "e", encode(envelope("a", "b")))))


def commands(client: Client) -> dict[str, int]:
    text = client.data.one(Command(("INFO", "commandstats")))
    rows = (text.decode() if isinstance(text, bytes) else str(text)).splitlines()
    pairs = (row.removeprefix("cmdstat_").split(":calls=") for row in rows if ":calls=" in row)
    return {verb: int(rest.split(",")[0]) for verb, rest in pairs}


@pytest.fixture
def no_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """News is all that the worker goes by."""
    monkeypatch.setattr(following, "ROUND_EVERY_S", 1e6)
    monkeypatch.setattr(following, "LOOK_S", 1e6)


@pytest.mark.usefixtures("no_rounds")
@pytest.mark.parametrize("apart", [False, True])
def test_news_wakes_it_for_a_stream_that_sleeps_and_for_a_new_one(
    settings: Settings, client: Client, keys: Keys, apart: bool
) -> None:
    """Whether the registry is on the server of the messages or on another."""
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    client.control.one(Command(("DEL", keys.news)))
    with connect(settings) as other, follows(settings, control=other if apart else None) as worker:
        assert not worker._following.awake
        assert worker._following._together is not apart
        with Publisher("src", settings=settings) as publisher:
            for target in ("m7", "fresh", "topic:fresh"):
                publisher.publish(target, 1)
        wait_until(lambda: stored(settings) == 3)
        awake = {stream.key for stream in worker._following._known.awake}  # type: ignore[union-attr]
        assert awake == {keys.inbox("m7"), keys.inbox("fresh"), keys.topic("fresh")}


def test_what_nobody_told_of_is_found_in_a_round(settings: Settings, client: Client, keys: Keys) -> None:
    """On a stream that sleeps, and on one that was announced alone."""
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    client.control.one(Command(("DEL", keys.news)))
    with follows(settings) as worker:
        append(client, keys.inbox("m7"))
        client.control.one(Command(("SADD", keys.streams, keys.inbox("fresh"))))
        append(client, keys.inbox("fresh"))
        wait_until(lambda: stored(settings) == 2)
        assert {one.key for one in worker._following._known.awake} == {keys.inbox("m7"), keys.inbox("fresh")}  # type: ignore[union-attr]


def test_a_sleeping_stream_whose_ids_moved_backwards_is_read_again(
    settings: Settings, client: Client, keys: Keys
) -> None:
    key = keys.inbox("b")
    client.run(publish(keys, [Post(key, encode(envelope("a", "b")))], [key]))
    with follows(settings) as worker:
        wait_until(lambda: stored(settings) == 1)
        known = worker._following._known
        assert known is not None
        known._until = {}
        client.data.one(Command(("DEL", key)))
        client.data.one(Command(("XADD", key, "5-1", "e", encode(envelope("a", "b")))))
        wait_until(lambda: stored(settings) == 2)


def test_what_was_told_before_it_started_and_is_written_after_is_read(
    settings: Settings, client: Client, keys: Keys, no_rounds: None
) -> None:
    """A writer tells once in some seconds: it may have told a moment before the worker knew of anything."""
    key = keys.inbox("b")
    client.run(publish(keys, [], [key]))
    with follows(settings):
        append(client, key)
        wait_until(lambda: stored(settings) == 1)


def test_a_flushed_server_is_heard_again(home: Path) -> None:
    """News begins anew, streams are announced again by whoever writes to them, and what is written is stored."""
    own = Settings(home=home, url=f"unix://{private_server.ensure(home)}")
    keys = Keys(own.namespace)
    with connect(own) as client, follows(own), Publisher("src", settings=own) as publisher:
        publisher.publish("b", 1)
        wait_until(lambda: stored(own) == 1)
        client.data.one(Command(("FLUSHALL",)))
        with Publisher("another", settings=own) as another:
            another.publish("c", 1)
        append(client, keys.inbox("b"))
        wait_until(lambda: stored(own) == 3)


def test_a_registry_that_moved_back_is_heard_again(settings: Settings, client: Client, keys: Keys) -> None:
    """Its position is ahead of all news to come: the server was restored, or its clock put back."""
    with follows(settings) as worker:
        worker._following._position = "99999999999999-0"
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("b", 1)
        wait_until(lambda: stored(settings) == 1)
        wait_until(lambda: worker._following._position == client.run(news.now(keys)), what="it hears news")


def test_at_rest_it_asks_little_however_many_streams_there_are(settings: Settings, client: Client, keys: Keys) -> None:
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    client.control.one(Command(("DEL", keys.news)))
    with follows(settings):
        wait_until(lambda: keys.stored and client.control.one(Command(("EXISTS", keys.projections))) == 1)
        since, before = time.monotonic(), commands(client)
        wait_until(lambda: time.monotonic() - since > 3.0, what="some rounds")
        after, taken_s = commands(client), time.monotonic() - since
    asked = {verb: after[verb] - before.get(verb, 0) for verb in after}
    # Each of the streams, each second, was 400 a second.
    assert asked["xinfo|stream"] <= (taken_s + 2) * following.MOST_APART < (taken_s + 2) * MANY / 4
    assert asked.get("xread", 0) <= 10 * (taken_s + 2)
    assert asked.get("smembers", 0) <= 2


def test_only_what_moved_is_reported_and_all_of_it_where_the_registry_lost_it(
    settings: Settings, client: Client, keys: Keys
) -> None:
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    with follows(settings) as worker, open_database(settings.database) as database:
        held = keys.stored(name(database))
        wait_until(lambda: client.control.one(Command(("HLEN", held))) == MANY, what="all are reported")
        before = client.control.one(Command(("HGET", held, keys.inbox("m1"))))
        client.control.one(Command(("HSET", held, keys.inbox("m1"), "1-1 1")))
        reported = worker._reporter._reported_ms
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("m2", 1)
        key = keys.inbox("m2")
        wait_until(
            lambda: (
                client.control.one(Command(("HGET", held, key))).startswith(
                    checkpoints.load(database)[key].entry_id.encode()
                )
                and checkpoints.load(database)[key].entries == 1
            )
        )
        wait_until(lambda: worker._reporter._reported_ms != reported)
        assert client.control.one(Command(("HGET", held, keys.inbox("m1")))) == b"1-1 1" != before
        client.control.one(Command(("DEL", held)))
        wait_until(lambda: client.control.one(Command(("HLEN", held))) == MANY, what="all are reported again")
        assert client.control.one(Command(("HGET", held, keys.inbox("m1")))) == before
