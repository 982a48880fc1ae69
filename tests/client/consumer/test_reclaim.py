"""What is pending: taken back after a restart, given back uncounted, told when it was lost; and groups made anew."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from claude_comm import Consumer, Settings
from claude_comm.cli.status_report import look
from claude_comm.client.identity import identify, micros
from claude_comm.delivery.burial import Where
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import dead
from claude_comm.ops.pending import HEAP
from claude_comm.progress.events import Lost, Retried, Settled
from claude_comm.store.counters import LOST, counters
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.streams import events, pending, project, publish, rows
from tests.support.waiting import PATIENCE_S, wait_until


def payloads(deliveries: list[Any]) -> list[Any]:
    return [delivery.payload() for delivery in deliveries]


def test_an_instance_with_a_name_takes_its_own_back_at_once_when_it_restarts(
    settings: Settings, environ: dict[str, str], client: Client, keys: Keys
) -> None:
    """Without waiting for the lease, which is a minute; and before anything new, so that the order is kept."""
    script = (
        "import os, signal\nfrom claude_comm import Consumer\nc = Consumer('sink', instance='one', batch=3)\n"
        "print(len(c.read()), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    publish(settings, "sink", *range(5))
    child = subprocess.run(
        [sys.executable, "-c", script], check=False, env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert child.stdout == "3\n"
    with Consumer("sink", settings=settings, instance="two") as other:
        assert payloads(other.read()) == [3, 4]
        with Consumer("sink", settings=settings, instance="one") as again:
            found = again.read()
            assert payloads(found) == [0, 1, 2]
            assert {delivery.attempts for delivery in found} == {2}
            assert again.read(wait_s=0.05) == []


def test_more_than_a_batch_of_its_own_comes_back_before_what_is_new(settings: Settings) -> None:
    publish(settings, "sink", *range(25))
    killed = Consumer("sink", settings=settings, instance="one")
    assert len(killed.read()) == 25
    killed.client.close()
    publish(settings, "sink", *range(25, 30))
    seen: list[int] = []
    with Consumer("sink", settings=settings, instance="one", batch=10) as again:
        while len(seen) < 30:
            for delivery in again.read():
                seen.append(delivery.payload())
                again.ack(delivery)
    assert seen == list(range(30))


def test_what_was_handed_out_on_a_connection_that_was_cut_comes_again_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server counts it as delivered, and nobody saw it; what was seen before does not come again."""
    publish(settings, "sink", "seen")
    with Consumer("sink", settings=settings) as consumer:
        (first,) = consumer.read()
        publish(settings, "sink", "unseen")
        real = consumer.client.data.one

        def cut(command: Command) -> Any:
            reply = real(command)
            if command.args[0] == "XREADGROUP":
                monkeypatch.undo()
                raise ServerUnreachable("redis://x", "cut")
            return reply

        monkeypatch.setattr(consumer.client.data, "one", cut)
        with pytest.raises(ServerUnreachable):
            consumer.read()
        assert payloads(consumer.read()) == ["unseen"]
        consumer.ack(first)


def test_a_planned_give_back_is_no_attempt_and_comes_to_others_at_once(
    settings: Settings, client: Client, keys: Keys
) -> None:
    publish(settings, "sink", *range(20))
    for round_ in range(8):  # more often than a message may be handed out and not end
        with Consumer("sink", settings=settings) as consumer:
            found: list[Any] = []
            wait_until(lambda found=found, consumer=consumer: bool(found.extend(consumer.read(wait_s=0.05)) or found))
            assert payloads(found) == list(range(20)), f"round {round_}"
            assert {delivery.attempts for delivery in found} == {1}
        assert rows(client, keys, "sink") == [(HEAP, 0)] * 20


def test_what_a_consumer_left_with_an_exception_counts_as_an_attempt(
    settings: Settings, client: Client, keys: Keys
) -> None:
    """Else a message that stops its reader would come back for ever."""
    publish(settings, "sink", "bad")

    def fail() -> None:
        with Consumer("sink", settings=settings) as consumer:
            consumer.read()
            raise RuntimeError("stopped by it")

    with pytest.raises(RuntimeError):
        fail()
    assert rows(client, keys, "sink") == [(HEAP, 1)]


def test_nothing_is_given_back_that_another_has_claimed(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", 1)
    late = Consumer("sink", settings=settings, lease_s=0.05, instance="late")
    assert len(late.read()) == 1
    with Consumer("sink", settings=settings, lease_s=0.05, instance="other") as other:
        found: list[Any] = []
        wait_until(lambda: bool(found.extend(other.read(wait_s=0.05)) or found))
        late.close()
        assert rows(client, keys, "sink") == [("other", 2)]
        other.ack(found[0])


def test_a_group_keeps_no_consumer_of_an_instance_that_left(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        assert len(consumer.read()) == 1
    told = client.data.one(Command(("XINFO", "CONSUMERS", keys.inbox("sink"), "sink")))
    assert [one[b"name"].decode() for one in told] == [HEAP]


@pytest.mark.parametrize("way", ["by another instance", "under its own name"])
def test_entries_that_were_deleted_while_they_were_pending_are_told_as_lost(
    settings: Settings, client: Client, keys: Keys, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(settings, "sink", *range(4))
    killed = Consumer("sink", settings=settings, instance="killed", lease_s=0.05)
    held = killed.read()
    killed.client.close()
    gone = [delivery.entry.id for delivery in held[1:3]]
    client.data.one(Command(("XDEL", keys.inbox("sink"), *gone)))
    instance = "other" if way == "by another instance" else "killed"
    with Consumer("sink", settings=settings, instance=instance, lease_s=0.05) as other:
        found: list[Any] = []
        wait_until(lambda: bool(found.extend(other.read(wait_s=0.05)) or len(found) == 2))
        assert payloads(found) == [0, 3]
        for delivery in found:
            other.ack(delivery)
    assert [event for event in events(client, keys, "sink") if isinstance(event, Lost)] == [
        Lost(keys.inbox("sink"), gone)
    ]
    assert pending(client, keys, "sink") == 0
    assert '"delivery.lost"' in capfd.readouterr().err
    project(settings, client, keys)
    project(settings, client, keys)
    with open_database(settings.database) as database:
        assert counters(database, LOST) == {"sink": 2}
    assert look(settings).lost == {"sink": 2}


def handle_some(settings: Settings, count: int) -> list[int]:
    """What the first `count` deliveries carry; the others are given back."""
    with Consumer("sink", settings=settings) as consumer:
        found = consumer.read()
        for delivery in found[:count]:
            consumer.ack(delivery)
        return payloads(found)


def test_a_lost_group_goes_on_where_the_projection_knows_that_all_before_was_handled(
    settings: Settings, client: Client, keys: Keys
) -> None:
    """A failover, or a restore: the stream is there and the group is not."""
    publish(settings, "sink", *range(10))
    with Consumer("sink", settings=settings) as consumer:
        found = consumer.read()
        for delivery in found:
            if delivery.payload() in (0, 1, 2, 5):
                consumer.ack(delivery)
            elif delivery.payload() == 3:
                consumer.fail(delivery, "no")
    project(settings, client, keys)
    client.data.one(Command(("XGROUP", "DESTROY", keys.inbox("sink"), "sink")))
    # 5 was handled, and comes again: below it is one that was not.
    assert handle_some(settings, 0) == [4, 5, 6, 7, 8, 9]


def test_a_running_consumer_goes_on_after_its_group_was_lost(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", *range(6))
    with Consumer("sink", settings=settings, batch=3) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
        consumer.flush()
        project(settings, client, keys)
        client.data.one(Command(("XGROUP", "DESTROY", keys.inbox("sink"), "sink")))
        found: list[Any] = []
        wait_until(lambda: bool(found.extend(consumer.read(wait_s=0.05)) or found))
        assert payloads(found) == [3, 4, 5]


def test_a_lost_group_begins_at_the_first_entry_where_nothing_is_known(
    settings: Settings, client: Client, keys: Keys
) -> None:
    publish(settings, "sink", *range(4))
    assert handle_some(settings, 3) == [0, 1, 2, 3]
    client.data.one(Command(("XGROUP", "DESTROY", keys.inbox("sink"), "sink")))
    assert handle_some(settings, 0) == [0, 1, 2, 3]


def test_what_was_sent_after_a_flush_is_handled_from_its_first_entry(
    settings: Settings, client: Client, keys: Keys
) -> None:
    """The projection remembers the old stream, and that tells nothing of the new one."""
    publish(settings, "sink", *range(4))
    assert handle_some(settings, 4) == [0, 1, 2, 3]
    project(settings, client, keys)
    client.data.one(Command(("DEL", keys.inbox("sink"))))
    publish(settings, "sink", 7, 8)
    assert handle_some(settings, 0) == [7, 8]


def test_a_redriven_message_is_not_passed_over_when_the_group_is_made_anew(
    settings: Settings, client: Client, keys: Keys
) -> None:
    """It was buried, then put back to be handled: what the projection knows of it is that it is open again."""
    publish(settings, "sink", "again")
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        consumer.fail(delivery, "no")
        sent = delivery.envelope
    client.data.one(Command(("XTRIM", keys.inbox("sink"), "MAXLEN", 0)))
    event = identify("sink", settings).event(
        Retried(Settled(sent.source, sent.id, sent.time, micros()), "redriven", micros())
    )
    assert client.run(dead.redrive(keys, "sink", Where(), lambda _: event, limit=1, max_bytes=10_000)) == 1
    project(settings, client, keys)
    client.data.one(Command(("XGROUP", "DESTROY", keys.inbox("sink"), "sink")))
    assert handle_some(settings, 0) == ["again"]
