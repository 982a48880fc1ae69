"""What the events of a module have of its answers: those that are sent together in one entry, and each of them once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.client.identity import millis
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, decode, encode
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import replies as ops
from claude_comm.progress.events import EVENT_TYPE, decode_event
from claude_comm.progress.packed_replies import PackedReplies
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.store.verify import verify
from claude_comm.transport.driver import Client
from claude_comm.transport.pool import ConnectionPool
from tests.support import facts
from tests.support.signed_namespace import signed
from tests.support.waiting import PATIENCE_S, wait_until

ADDRESS = "a/1"
DESK = """
from claude_comm import Module

desk = Module("b", lease_s=1.0)

@desk.handles()
def handle(payload: int) -> int:
    return payload * 2

desk.run()
"""


def answered(client: Client, settings: Settings, payloads: Sequence[Any], *, times: int = 1) -> None:
    """A module answers requests all at once; an exchange that fails is tried again so often."""
    with Publisher("a", settings=settings) as asker, Consumer("b", settings=settings) as consumer:
        for payload in payloads:
            asker.publish("b", payload, reply_to=ADDRESS, session="s")
        subscription = consumer._subscription
        for delivery in consumer.read():
            subscription.in_flight.ack(delivery, subscription.reply(delivery, delivery.payload()))
        for attempt in range(times):
            try:
                client.run(subscription.settling())
            except ServerUnreachable:
                assert attempt < times - 1
            else:
                return


def replies(client: Client, keys: Keys) -> list[Envelope]:
    """As the asker reads them."""
    entries = client.data.one(Command(("XRANGE", keys.replies("a", "1"), "-", "+")))
    return [decode(fields[1]) for _, fields in entries]


def recorded(client: Client, keys: Keys) -> list[tuple[int, int]]:
    """How many answers each entry of the events has that has any, and how many bytes the envelope takes."""
    found = []
    for _, fields in client.data.one(Command(("XRANGE", keys.events("b"), "-", "+"))):
        envelope = decode(fields[1])
        event = decode_event(envelope.data) if envelope.type == EVENT_TYPE else None
        if event is None or isinstance(event, PackedReplies):
            found.append((1 if event is None else len(event.messages), len(fields[1])))
    return found


def stored(client: Client, settings: Settings) -> list[tuple[Any, ...]]:
    """What the projection knows of the answers; it is whole."""
    with open_database(settings.database) as database:
        caught_up(client, database, settings)
        assert verify(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes).ok
        return _answers(database)


def _answers(database: Any) -> list[tuple[Any, ...]]:
    columns = "message_id, source, target, type, session, causation, correlation, time_us, stream, size_bytes, data"
    return sorted(database.rows(f"SELECT {columns} FROM messages WHERE type = 'comm.reply'"))


def plainly(settings: Settings, keys: Keys, sent: Sequence[Envelope], folder: Path) -> list[tuple[Any, ...]]:
    """What the projection knows of them where each has an entry of its own."""
    stream = keys.parse_stream(keys.events("b").encode())
    assert stream is not None
    with open_database(folder / "plain.db") as database:
        facts.put(database, facts.page(stream, *map(encode, sent)))
        return _answers(database)


@pytest.mark.parametrize("telemetry", ["full", "off"])
def test_answers_of_a_batch_are_recorded_in_one_entry_and_stored_as_if_each_had_one(
    client: Client, keys: Keys, settings: Settings, tmp_path: Path, telemetry: str
) -> None:
    settings = msgspec.structs.replace(settings, telemetry=telemetry)
    answered(client, settings, range(50))
    sent = replies(client, keys)
    assert [reply.payload() for reply in sent] == [*range(50)]
    assert [count for count, _ in recorded(client, keys)] == [50]
    assert stored(client, settings) == plainly(settings, keys, sent, tmp_path)


def test_a_lone_answer_is_recorded_as_it_was_sent(client: Client, keys: Keys, settings: Settings) -> None:
    """An event around it would cost the request bytes, and its reader the unpacking."""
    answered(client, settings, ["x"])
    (sent,) = replies(client, keys)
    assert recorded(client, keys) == [(1, len(encode(sent)))]
    assert len(stored(client, settings)) == 1


def test_large_answers_are_recorded_each_by_itself(client: Client, keys: Keys, settings: Settings) -> None:
    answered(client, settings, ["small", "x" * 50_000, "also small", "y" * 50_000])
    large = [len(encode(reply)) for reply in replies(client, keys)[1::2]]
    found = recorded(client, keys)
    assert sorted(count for count, _ in found) == [1, 1, 2]
    assert [size for count, size in found if count == 1] == large, "as they were sent, without an event around them"
    assert len(stored(client, settings)) == 4


@pytest.mark.parametrize("most", [1_500, 4_000])
def test_no_entry_is_larger_than_an_envelope_may_be(client: Client, keys: Keys, settings: Settings, most: int) -> None:
    settings = msgspec.structs.replace(settings, max_envelope_bytes=most)
    answered(client, settings, range(30))
    found = recorded(client, keys)
    assert sum(count for count, _ in found) == 30
    assert max(size for _, size in found) <= most
    assert 3 < len(found) < 30
    assert len(stored(client, settings)) == 30


def test_one_seal_speaks_for_all_answers_of_an_entry(client: Client, keys: Keys, settings: Settings) -> None:
    signing = signed(settings, client)
    answered(client, signing, range(20))
    assert [count for count, _ in recorded(client, keys)] == [20]
    assert len(stored(client, signing)) == 20


def test_a_lone_answer_is_sealed_for_the_events(client: Client, keys: Keys, settings: Settings) -> None:
    signing = signed(settings, client)
    answered(client, signing, [1])
    assert len(stored(client, signing)) == 1


def test_what_the_server_did_not_confirm_is_sent_again_and_stored_once(
    client: Client, keys: Keys, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did all that it was told, and its reply was lost."""
    whole, lost = ConnectionPool.many, []

    def lose(self: ConnectionPool, commands: Any, *times_ms: int) -> Any:
        done = whole(self, commands, *times_ms)
        if not lost and any(command.args[0] == "PEXPIRE" for command in commands):
            lost.append(done)
            raise ServerUnreachable(self.url, "cut")
        return done

    monkeypatch.setattr(ConnectionPool, "many", lose)
    answered(client, settings, range(12), times=2)
    assert lost
    assert [count for count, _ in recorded(client, keys)] == [12, 12]
    assert len(stored(client, settings)) == 12


def test_answers_whose_record_the_server_refuses_are_sent_again(client: Client, keys: Keys, settings: Settings) -> None:
    """As with any event of the module: its acks wait with it, and nothing is lost."""
    with Publisher("a", settings=settings) as asker, Consumer("b", settings=settings) as consumer:
        for payload in range(5):
            asker.publish("b", payload, reply_to=ADDRESS)
        subscription = consumer._subscription
        for delivery in consumer.read():
            subscription.in_flight.ack(delivery, subscription.reply(delivery, delivery.payload()))
        client.data.one(Command(("SET", keys.events("b"), "of another type")))
        with pytest.raises(ServerRefused, match="WRONGTYPE"):
            client.run(subscription.settling())
        assert subscription.in_flight.has_acks()
        client.data.one(Command(("DEL", keys.events("b"))))
        client.run(subscription.settling())
    assert [count for count, _ in recorded(client, keys)] == [5]


@contextmanager
def desk(client: Client, keys: Keys, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A module that answers in a process of its own, once it can be asked."""
    process = subprocess.Popen([sys.executable, "-c", DESK], env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: client.run(ops.responds(keys, "b", millis())))
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def test_all_answers_are_known_though_the_module_was_killed_between_them(
    client: Client, keys: Keys, settings: Settings, environ: dict[str, str]
) -> None:
    """What it had answered and not acked is answered once more: the asker has one answer, the projection knows both."""
    with Publisher("a", settings=settings) as asker, ThreadPoolExecutor(40) as pool:
        with desk(client, keys, environ) as killed:
            asked = [pool.submit(asker.request, "b", n, timeout_s=PATIENCE_S) for n in range(600)]
            assert len(list(islice(as_completed(asked), 200))) == 200
            killed.kill()
        with desk(client, keys, environ):
            assert [future.result(PATIENCE_S) for future in asked] == [2 * n for n in range(600)]
    counts = [count for count, _ in recorded(client, keys)]
    assert len(counts) < sum(counts)
    rows = stored(client, settings)
    assert len({id_ for id_, *_ in rows}) == len(rows) >= 600
    assert len({causation for *_, causation, _, _, _, _, _ in rows}) == 600
