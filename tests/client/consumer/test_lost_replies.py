"""Attempts count what a handler was handed, whatever reply is lost, how often, and whoever is killed meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_comm import Consumer, Module, Settings
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.delivery.lease import MAX_DELIVERIES
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.progress.events import Lost
from claude_comm.transport.driver import Client
from tests.support.lossy_link import lossy, word_of_script
from tests.support.modules import running
from tests.support.streams import dead, events, pending, publish, rows
from tests.support.waiting import PATIENCE_S, wait_until

# More often than a message may be handed out and not end.
TIMES = MAX_DELIVERIES + 3
# What a consumer sends about what is pending, and the scripts among it.
STEPS = ("XPENDING", "XAUTOCLAIM", "XRANGE", "give_back", "hand_out")
SCRIPTS = ("give_back", "hand_out")
LEASE_S = 0.02


def word_of(step: str, client: Client) -> bytes:
    return word_of_script(client, step) if step in SCRIPTS else step.encode()


def read_through(consumer: Consumer, count: int) -> list[Delivery]:
    """So many deliveries, read again after each failure."""
    found: list[Delivery] = []

    def more() -> bool:
        try:
            found.extend(consumer.read(wait_s=0.05))
        except ServerUnreachable:
            return False
        return len(found) >= count

    wait_until(more)
    return found


def killed(settings: Settings, instance: str) -> None:
    """A consumer that was handed everything and ends without a word."""
    consumer = Consumer("sink", settings=settings, instance=instance)
    assert consumer.read()
    consumer.client.close()


def idle(client: Client, keys: Keys) -> int:
    """How many deliveries may be claimed."""
    words = ("XPENDING", keys.inbox("sink"), "sink", "IDLE", int(LEASE_S * 1000), "-", "+", 10)
    return len(client.data.one(Command(words)))


@pytest.mark.parametrize("step", STEPS)
def test_no_lost_reply_about_what_is_pending_is_an_attempt(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path, step: str
) -> None:
    publish(settings, "sink", *range(4))
    killed(settings, "one")
    word = word_of(step, client)
    with (
        lossy(settings, tmp_path) as (link, through),
        Consumer("sink", settings=through, instance="one", lease_s=LEASE_S) as consumer,
    ):
        link.lose(word, TIMES)
        found = read_through(consumer, 4)
        # Giving back is done when it was done once.
        assert link.left == (TIMES - 1 if step == "give_back" else 0)
        link.lose(b"", 0)
        assert [(delivery.payload(), delivery.attempts) for delivery in found] == [(n, 2) for n in range(4)]
        assert [times for _, times in rows(client, keys, "sink")] == [2] * 4
        for delivery in found:
            consumer.ack(delivery)
    assert pending(client, keys, "sink") == len(dead(client, keys, "sink")) == 0


def test_nor_is_a_lost_read_of_new_messages(settings: Settings, client: Client, keys: Keys, tmp_path: Path) -> None:
    with (
        lossy(settings, tmp_path) as (link, through),
        Consumer("sink", settings=through, lease_s=LEASE_S) as consumer,
    ):
        assert consumer.read(wait_s=0.01) == []
        link.lose(b"XREADGROUP", TIMES)
        publish(settings, "sink", *range(4))
        found = read_through(consumer, 4)
        assert [(delivery.payload(), delivery.attempts) for delivery in found] == [(n, 1) for n in range(4)]


def test_what_a_handler_saw_counts_although_the_next_read_is_lost(
    settings: Settings, keys: Keys, tmp_path: Path
) -> None:
    publish(settings, "sink", "seen")
    with lossy(settings, tmp_path) as (link, through), Consumer("sink", settings=through) as consumer:
        (seen,) = consumer.read()
        consumer.release(seen)
        link.lose(b"XREADGROUP", 1)
        publish(settings, "sink", "unseen")
        found = read_through(consumer, 2)
        assert [(delivery.payload(), delivery.attempts) for delivery in found] == [("seen", 2), ("unseen", 1)]


@pytest.mark.parametrize("step", ["XAUTOCLAIM", "XRANGE", "give_back"])
def test_consumers_killed_on_the_way_to_a_handler_bury_nothing(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path, step: str
) -> None:
    """Each life ends after the server has done the step, before anything of it arrived."""
    publish(settings, "sink", *range(4))
    for name in ("one", "two"):  # so that they are suspects, of which the others are given back
        consumer = Consumer("sink", settings=settings, instance=name, lease_s=LEASE_S)
        wait_until(lambda consumer=consumer: bool(consumer.read(wait_s=0.05)))
        consumer.client.close()
    counts = [times for _, times in rows(client, keys, "sink")]
    word = word_of(step, client)
    with lossy(settings, tmp_path) as (link, through):
        for life in range(TIMES):
            wait_until(lambda: idle(client, keys) == 4)
            consumer = Consumer("sink", settings=through, instance=f"life-{life}", lease_s=LEASE_S)
            link.lose(word, 1)
            with pytest.raises(ServerUnreachable):
                consumer.read(wait_s=PATIENCE_S)
            consumer.client.close()
    assert [times for _, times in rows(client, keys, "sink")] == counts
    handled: list[int] = []
    with Consumer("sink", settings=settings, lease_s=LEASE_S) as consumer:

        def handle() -> bool:
            for delivery in consumer.read(wait_s=0.05):
                handled.append(delivery.payload())
                consumer.ack(delivery)
            return len(handled) == 4

        wait_until(handle)
    assert sorted(handled) == list(range(4))
    assert dead(client, keys, "sink") == []


@pytest.mark.parametrize("lost", [b"ZMSCORE", b"XAUTOCLAIM", b"XRANGE"])
def test_a_module_that_loses_replies_while_it_decides_holds_nothing_for_ever(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path, lost: bytes
) -> None:
    """Measured before: what had been admitted when the next command failed was renewed, and handled by nobody."""
    publish(settings, "sink", *range(4))
    killed(settings, "before")
    publish(settings, "topic:news", *range(4, 8))
    seen: list[int] = []
    with lossy(settings, tmp_path) as (link, through):
        module = Module("sink", topics=["news"], settings=through, lease_s=0.2, dedup_s=60.0)

        @module.handles()
        def handle(number: int) -> None:
            seen.append(number)

        link.lose(lost, 3)
        with running(module):
            wait_until(lambda: set(seen) == set(range(8)))
            wait_until(lambda: link.left == 0 and pending(client, keys, "sink") == 0)
    assert dead(client, keys, "sink") == []


def test_what_was_claimed_of_one_stream_is_not_held_when_the_claim_of_the_next_fails(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, "sink", 1)
    killed(settings, "before")
    with Consumer("sink", topics=["news"], settings=settings, lease_s=LEASE_S) as consumer:
        plain = consumer.client.data.one
        failed = []

        def cut(command: Command) -> Any:
            if command.args[:2] == ("XAUTOCLAIM", keys.topic("news")) and consumer.out and not failed:
                failed.append(command)
                raise ServerUnreachable("here", "cut")
            return plain(command)

        monkeypatch.setattr(consumer.client.data, "one", cut)
        (delivery,) = read_through(consumer, 1)
        assert failed
        assert (delivery.payload(), delivery.attempts) == (1, 2)
        assert consumer.out == 1
        consumer.ack(delivery)


def test_what_one_node_of_a_cluster_lost_comes_again_at_once_though_another_brought_something(
    settings: Settings, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is a minute: it does not wait for it."""
    with Consumer("sink", topics=["news"], settings=settings) as consumer:
        consumer._subscription._several._on_cluster = True
        assert consumer.read(wait_s=0.01) == []
        publish(settings, "sink", "brought")
        publish(settings, "topic:news", "lost")
        plain = consumer.client.data.many

        def half(commands: Any, *times: int) -> Any:
            replies = plain(commands, *times)
            for place, command in enumerate(commands):
                if command.args[0] == "XREADGROUP" and command.args[-2] == keys.topic("news") and replies[place]:
                    monkeypatch.undo()
                    replies[place] = ServerUnreachable("there", "cut")
            return replies

        monkeypatch.setattr(consumer.client.data, "many", half)
        first = consumer.read(wait_s=1.0)
        assert [delivery.payload() for delivery in first] == ["brought"]
        second = read_through(consumer, 1)
        assert [(delivery.payload(), delivery.attempts) for delivery in second] == [("lost", 1)]


@pytest.mark.parametrize("way", ["close", "give_back"])
def test_what_was_deleted_before_it_is_given_back_is_told_as_lost(
    settings: Settings, client: Client, keys: Keys, way: str
) -> None:
    publish(settings, "sink", *range(3))
    with Consumer("sink", settings=settings) as consumer:
        found = consumer.read()
        gone = found[1].entry.id
        client.data.one(Command(("XDEL", keys.inbox("sink"), gone)))
        if way == "give_back":
            consumer.give_back(*found)
    assert [event for event in events(client, keys, "sink") if isinstance(event, Lost)] == [
        Lost(keys.inbox("sink"), [gone])
    ]
    assert pending(client, keys, "sink") == 2
