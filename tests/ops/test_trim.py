"""Trimming: never above what a group has not acked or a projection has not settled, whoever asks and how often."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.delivery.retention import Keep, Projection
from claude_comm.effects import Command
from claude_comm.names import Keys, Stream
from claude_comm.ops import projection_progress, trim
from claude_comm.ops.trim import Trimmed
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

NOTHING = Keep(0, 0)


@pytest.fixture
def inbox(keys: Keys) -> Stream:
    return Stream(keys.inbox("sink"), "inbox", "sink")


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with Publisher("src", settings=settings) as opened:
        yield opened


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ids(client: Client, stream: str) -> list[str]:
    return [id_.decode() for id_, _ in client.data.one(Command(("XRANGE", stream, "-", "+")))]


def settled(stream: str, entry_id: str, name: str = "p", stored: str | None = None) -> Projection:
    return Projection(name, now_ms(), {stream: stored or entry_id}, {stream: entry_id})


def run(client: Client, stream: Stream, *projections: Projection, keep: Keep = NOTHING) -> Trimmed:
    return client.run(trim.trim(stream, projections, keep, now_ms=now_ms()))


def hold(trimmed: Trimmed) -> tuple[str, str] | None:
    return None if trimmed.hold is None else (trimmed.hold.kind, trimmed.hold.name)


def test_what_every_group_acked_and_every_projection_settled_goes_but_for_the_last(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(1000))
    everything = ids(client, inbox.key)
    with Consumer("sink", settings=settings, batch=1000) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
    done = run(client, inbox, settled(inbox.key, everything[-1]))
    assert (done.entries, done.hold) == (999, None)
    assert done.bytes > 999 * 100
    assert ids(client, inbox.key) == everything[-1:]
    assert run(client, inbox, settled(inbox.key, everything[-1])).entries == 0


def test_what_one_group_has_pending_stays_whatever_others_acked(
    client: Client, settings: Settings, keys: Keys, publisher: Publisher
) -> None:
    topic = Stream(keys.topic("news"), "topic", "news")
    publisher.publish_many("topic:news", range(300))
    everything = ids(client, topic.key)
    with (
        Consumer("fast", topics=["news"], settings=settings, batch=300) as fast,
        Consumer("slow", topics=["news"], settings=settings, batch=300) as slow,
    ):
        for delivery in fast.read():
            fast.ack(delivery)
        fast.flush()
        out = slow.read()
        for number, delivery in enumerate(out):
            if number not in (40, 200):
                slow.ack(delivery)
        slow.flush()
        done = run(client, topic, settled(topic.key, everything[-1]))
        assert (done.entries, hold(done)) == (40, ("pending", "slow"))
        assert ids(client, topic.key) == everything[40:]
        slow.ack(out[40])
        slow.flush()
        assert run(client, topic, settled(topic.key, everything[-1])).entries == 160
        slow.ack(out[200])


def test_what_a_group_was_not_handed_stays(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(100))
    everything = ids(client, inbox.key)
    with Consumer("sink", settings=settings, batch=30) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
    done = run(client, inbox, settled(inbox.key, everything[-1]))
    assert (done.entries, hold(done)) == (29, ("undelivered", "sink"))
    assert "sink has not read all of it" in done.held(now_ms=now_ms())
    assert ids(client, inbox.key) == everything[29:]


def test_what_nobody_has_read_yet_stays(client: Client, inbox: Stream, publisher: Publisher) -> None:
    publisher.publish_many("sink", range(10))
    done = run(client, inbox, settled(inbox.key, ids(client, inbox.key)[-1]))
    assert (done.entries, hold(done)) == (0, ("unread", ""))
    assert len(ids(client, inbox.key)) == 10


def read_all(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=1000) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)


def test_without_a_projection_nothing_goes(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(10))
    read_all(settings)
    done = run(client, inbox)
    assert (done.entries, len(ids(client, inbox.key))) == (0, 10)
    assert "no projection stores it" in done.held(now_ms=now_ms())


def test_the_slowest_projection_counts(client: Client, settings: Settings, inbox: Stream, publisher: Publisher) -> None:
    publisher.publish_many("sink", range(200))
    read_all(settings)
    everything = ids(client, inbox.key)
    fast, slow = settled(inbox.key, everything[-1], "fast"), settled(inbox.key, everything[120], "slow")
    done = run(client, inbox, fast, slow)
    assert (done.entries, ids(client, inbox.key)) == (120, everything[120:])
    assert "projection slow" in done.held(now_ms=now_ms())
    nothing_of_it = Projection("new", now_ms(), {}, {})
    assert run(client, inbox, fast, nothing_of_it).entries == 0


def test_a_projection_that_reads_anew_lets_go_of_nothing_that_it_has_not_stored_again(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    """What it settled before does not count: it lost that, or the stream did."""
    publisher.publish_many("sink", range(50))
    read_all(settings)
    everything = ids(client, inbox.key)
    again = settled(inbox.key, everything[-1], stored=everything[10])
    assert run(client, inbox, again).entries == 10


def test_a_position_beyond_the_stream_s_end_lets_go_of_nothing(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    """The ids moved backwards (a restore, a clock): the projections have not seen these entries yet."""
    publisher.publish_many("sink", range(10))
    read_all(settings)
    done = run(client, inbox, settled(inbox.key, f"{now_ms() + 60_000}-0"))
    assert (done.entries, hold(done)) == (0, ("moved", ""))


def test_what_is_done_stays_until_it_is_old_or_one_of_too_many(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(500))
    read_all(settings)
    everything = ids(client, inbox.key)
    all_done = settled(inbox.key, everything[-1])
    assert run(client, inbox, all_done, keep=Keep(60_000, 1000)).entries == 0
    run(client, inbox, all_done, keep=Keep(60_000, 300))
    # Whole nodes of the stream go: a few more than 300 may stay, never fewer.
    left = len(ids(client, inbox.key))
    assert 300 <= left <= 400
    time.sleep(0.05)
    publisher.publish("sink", "new")
    read_all(settings)
    newest = ids(client, inbox.key)[-1]
    run(client, inbox, settled(inbox.key, newest), keep=Keep(25, 1000))
    assert ids(client, inbox.key) == [newest]


def test_events_are_trimmed_below_the_projections_alone(
    client: Client, settings: Settings, keys: Keys, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(20))
    with Consumer("sink", settings=settings, batch=1) as consumer:
        for _ in range(20):
            for delivery in consumer.read():
                consumer.ack(delivery)
    events = Stream(keys.events("sink"), "events", "sink")
    everything = ids(client, events.key)
    assert len(everything) == 20
    assert run(client, events, settled(events.key, everything[14])).entries == 14
    assert ids(client, events.key) == everything[14:]


def test_a_dry_run_counts_what_would_go_and_changes_nothing(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(700))
    read_all(settings)
    everything = ids(client, inbox.key)
    for keep in (NOTHING, Keep(60_000, 650), Keep(60_000, 1000)):
        told = settled(inbox.key, everything[600])
        would = client.run(trim.would_trim(inbox, [told], keep, now_ms=now_ms()))
        assert would.entries == {0: 600, 650: 50, 1000: 0}[keep.entries]
        assert ids(client, inbox.key) == everything
    assert 600 * 100 < client.run(trim.would_trim(inbox, [told], NOTHING, now_ms=now_ms())).bytes < 600 * 1000
    assert run(client, inbox, told).entries == 600


def test_a_key_that_is_no_stream_or_not_there_is_passed_over(client: Client, keys: Keys) -> None:
    text, missing = (Stream(keys.inbox(name), "inbox", name) for name in ("text", "missing"))
    client.data.one(Command(("SET", text.key, "x")))
    for stream in (text, missing):
        done = run(client, stream, settled(stream.key, "5-5"))
        assert (done.entries, done.hold) == (0, None)


def test_more_than_a_step_goes_in_several(
    client: Client, settings: Settings, inbox: Stream, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "STEP", 100)
    publisher.publish_many("sink", range(950))
    read_all(settings)
    everything = ids(client, inbox.key)
    assert run(client, inbox, settled(inbox.key, everything[900])).entries == 900
    assert ids(client, inbox.key) == everything[900:]


def test_ids_are_compared_as_numbers_of_64_bits(client: Client, inbox: Stream) -> None:
    """A foreign writer's ids, whose numbers Lua could not tell apart."""
    entries = ["9-1", "10-1", "9007199254740992-1", "9007199254740993-9", "9007199254740993-10"]
    for id_ in entries:
        client.data.one(Command(("XADD", inbox.key, id_, "e", "x")))
    client.data.one(Command(("XGROUP", "CREATE", inbox.key, "sink", "$")))
    for index, id_ in enumerate(entries):
        run(client, inbox, settled(inbox.key, id_))
        assert ids(client, inbox.key) == entries[index:]


def test_two_janitors_at_once_take_nothing_that_is_needed(
    settings: Settings, inbox: Stream, publisher: Publisher, client: Client, keys: Keys
) -> None:
    """While messages are published, read and acked by a consumer that leaves every hundredth pending."""
    stop = threading.Event()
    trimmed: list[int] = []

    def trim_for_ever() -> None:
        with connect(settings) as own:
            while not stop.is_set():
                (told,) = own.run(projection_progress.projections(keys, since_ms=0))
                trimmed.append(own.run(trim.trim(inbox, [told], NOTHING, now_ms=now_ms())).entries)

    kept: list[str] = []
    client.run(projection_progress.report(keys, "p", {inbox.key: "0-0"}, durable={inbox.key: "0-0"}, now_ms=now_ms()))
    janitors = [threading.Thread(target=trim_for_ever) for _ in range(2)]
    for janitor in janitors:
        janitor.start()
    with Consumer("sink", settings=settings, batch=100) as consumer:
        got = 0
        for turn in range(40):
            publisher.publish_many("sink", range(100))
            for number, delivery in enumerate(consumer.read()):
                got += 1
                if turn >= 20 and number == 50:
                    kept.append(delivery.entry.id)
                else:
                    consumer.ack(delivery)
                last = delivery.entry.id
            consumer.flush()
            client.run(
                projection_progress.report(keys, "p", {inbox.key: last}, durable={inbox.key: last}, now_ms=now_ms())
            )
        stop.set()
        for janitor in janitors:
            janitor.join()
        assert got == 4000
        assert set(kept) <= set(ids(client, inbox.key))
        assert sum(trimmed) > 1500


def test_what_was_told_comes_back(client: Client, keys: Keys) -> None:
    many = {f"s{number}": f"{number}-1" for number in range(2500)}
    client.run(projection_progress.report(keys, "one", many, durable={"s1": "1-0"}, now_ms=5))
    client.run(projection_progress.report(keys, "two", {}, now_ms=now_ms()))
    client.run(projection_progress.report(keys, "one", many, now_ms=now_ms()))
    one, two = client.run(projection_progress.awaited(keys, 60.0))
    assert (one.name, one.stored, one.durable, two.stored) == ("one", many, {"s1": "1-0"}, {})
    assert one.done("s1") == "1-0"
    assert one.done("s2") == "0-0"
    client.run(projection_progress.report(keys, "one", many, durable={}, now_ms=now_ms()))
    assert client.run(projection_progress.projections(keys, since_ms=0))[0].durable == {}


def test_of_a_stream_that_nobody_has_stored_nothing_would_go(client: Client, keys: Keys, settings: Settings) -> None:
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1)
    stream = keys.parse_stream(keys.inbox("sink").encode())
    assert stream is not None
    assert client.run(trim.would_trim(stream, [], Keep(0, 0), now_ms=0)).entries == 0
