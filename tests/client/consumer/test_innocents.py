"""Attempts count what a handler saw; pending messages keep the order of the stream; own events have their limits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncConsumer, Consumer, Module, RetryPolicy, Settings
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, decode, encode, pack
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead, events, pending, publish, rows
from tests.support.waiting import PATIENCE_S, wait_until

KILLED = """
import os, signal, sys, time
from claude_comm import Module

module = Module("sink", instance={instance!r}, lease_s=0.05, batch=16)
out = os.open({out!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@module.handles()
def handle(number: int) -> None:
    os.write(out, f"{{number}}\\n".encode())
    if number == {poison}:
        os.kill(os.getpid(), signal.{how})
        # Until the signal is noticed: before that, a quick worker might handle all the others.
        while not module._runner.prefetcher.closed:
            time.sleep(0.001)

module.run()
"""


def live(environ: dict[str, str], out: str, *, poison: int, how: str = "SIGKILL", instance: str | None = None) -> None:
    """One life of a module, which a message ends."""
    script = KILLED.format(out=out, poison=poison, how=how, instance=instance)
    subprocess.run([sys.executable, "-c", script], env=environ, timeout=PATIENCE_S, check=False, capture_output=True)


@pytest.mark.long
def test_innocent_messages_beside_one_that_kills_are_not_buried_with_it(
    settings: Settings, environ: dict[str, str], client: Client, tmp_path: Any
) -> None:
    keys, out = Keys(settings.namespace), tmp_path / "handled"
    publish(settings, "sink", *range(16))
    for _ in range(5):
        live(environ, str(out), poison=3)
    # What is left after the lives that the guilty one may have.
    module, seen = Module("sink", settings=settings, lease_s=0.05), []

    @module.handles()
    def handle(number: int) -> None:
        seen.append(number)

    with running(module):
        wait_until(lambda: pending(client, keys, "sink") == 0)
    handled = {int(line) for line in out.read_text().split()} | set(seen)
    assert handled == set(range(16))
    buried = dead(client, keys, "sink")
    assert [fields[b"reason"][:9] for fields in buried] in ([], [b"delivered"])
    assert 3 not in seen or not buried


def test_pending_messages_come_back_in_the_order_of_the_stream(
    settings: Settings, environ: dict[str, str], tmp_path: Any
) -> None:
    """One instance with a name: killed at the second message, stopped at a later one, and started again."""
    out = tmp_path / "handled"
    publish(settings, "sink", *range(30))
    live(environ, str(out), poison=1, instance="one")
    live(environ, str(out), poison=4, how="SIGTERM", instance="one")
    first_life = [int(line) for line in out.read_text().split()]
    module, seen = Module("sink", settings=settings, instance="one"), []

    @module.handles()
    def handle(number: int) -> None:
        seen.append(number)

    with running(module):
        wait_until(lambda: 29 in seen)
    assert seen == sorted(seen)
    assert set(first_life) | set(seen) == set(range(30))


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
def test_nothing_new_overtakes_what_was_pending_though_a_handler_takes_its_time(
    settings: Settings, client: Client, kind: str
) -> None:
    """A loop reads on while its handler waits; what was handed out before comes one at a time, and comes first."""
    inbox = Keys(settings.namespace).inbox("sink")
    publish(settings, "sink", *range(4))
    client.data.one(Command(("XGROUP", "CREATE", inbox, "sink", "0")))
    client.data.one(Command(("XREADGROUP", "GROUP", "sink", "one", "STREAMS", inbox, ">")))
    publish(settings, "sink", *range(4, 8))
    module, seen = Module("sink", settings=settings, instance="one"), []

    def handle(number: int) -> None:
        seen.append(number)

    async def handle_on_loop(number: int) -> None:
        await asyncio.sleep(0.05)
        seen.append(number)

    module.handles()(handle if kind == "plain" else handle_on_loop)
    with running(module):
        wait_until(lambda: len(seen) == 8)
    assert seen == [*range(8)]


def test_a_consumer_that_reads_on_does_not_claim_from_itself(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_comm.client.consumer.reclaim.claim_every_s", lambda lease_s: 0.0)
    publish(settings, "sink", "held")
    with Consumer("sink", settings=settings, lease_s=0.02) as consumer:
        (held,) = consumer.read()
        for _ in range(20):
            assert consumer.read(wait_s=0.03) == []
        assert [times for _, times in rows(client, Keys(settings.namespace), "sink")] == [1]
        consumer.ack(held)


def test_nor_does_it_count_what_it_holds_where_the_lease_ended_before_the_claim(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that comes late after the renewal, as on a busy machine, finds this consumer's own entry."""
    monkeypatch.setattr("claude_comm.client.consumer.reclaim.claim_every_s", lambda lease_s: 0.0)
    publish(settings, "sink", "held")
    with Consumer("sink", settings=settings, lease_s=0.02) as consumer:
        (held,) = consumer.read()
        plain, found = consumer.client.data.one, []

        def late(command: Command) -> Any:
            if command.args[0] != "XAUTOCLAIM":
                return plain(command)
            wait_until(lambda: idle_ms(client, Keys(settings.namespace), "sink") > 20)
            reply = plain(command)
            found.append(len(reply[1]))
            return reply

        monkeypatch.setattr(consumer.client.data, "one", late)
        assert [consumer.read(wait_s=0.01) for _ in range(3)] == [[], [], []]
        assert sum(found) >= 3
        assert [times for _, times in rows(client, Keys(settings.namespace), "sink")] == [1]
        consumer.ack(held)
        consumer.flush()
    assert pending(client, Keys(settings.namespace), "sink") == 0


def idle_ms(client: Client, keys: Keys, module: str) -> int:
    """How long ago the only pending entry was handed out, or renewed."""
    ((_id, _consumer, idle, _times),) = client.data.one(Command(("XPENDING", keys.inbox(module), module, "-", "+", 1)))
    return int(idle)


def test_what_a_cancelled_read_was_to_bring_comes_at_once_and_was_no_attempt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with AsyncConsumer("sink", settings=settings) as consumer:
            assert await consumer.read(wait_s=0.01) == []
            plain = consumer.client.data.one

            async def delivered_and_never_read(command: Command) -> Any:
                reply = await plain(command)
                if command.args[0] == "XREADGROUP":
                    await asyncio.sleep(60)
                return reply

            monkeypatch.setattr(consumer.client.data, "one", delivered_and_never_read)
            reading = asyncio.create_task(consumer.read(wait_s=5))
            publish(settings, "sink", 1)
            await asyncio.sleep(0.3)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            monkeypatch.undo()
            (found,) = await consumer.read()
            assert (found.payload(), found.attempts) == (1, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize("max_bytes", [1024, 10_000])
def test_acks_beyond_the_size_of_one_event_are_split(settings: Settings, client: Client, max_bytes: int) -> None:
    small = msgspec.structs.replace(settings, max_envelope_bytes=max_bytes)
    publish(small, "sink", *range(300))
    with Consumer("sink", settings=small, batch=300) as consumer:
        found = consumer.read()
        assert len(found) == 300
        for delivery in found:
            consumer.ack(delivery)
    keys = Keys(settings.namespace)
    assert pending(client, keys, "sink") == 0
    handled = [event for event in events(client, keys, "sink") if type(event).__name__ == "Handled"]
    assert sum(len(event.deliveries) for event in handled) == 300


def test_a_failure_with_long_words_fits_the_smallest_envelope(settings: Settings, client: Client) -> None:
    small = msgspec.structs.replace(settings, max_envelope_bytes=1024)
    module = Module("sink", settings=small, retry=RetryPolicy(attempts=1))

    @module.handles()
    def handle(payload: int) -> None:
        raise RuntimeError("x" * 2_000)

    publish(small, "sink", 1)
    with running(module):
        wait_until(lambda: bool(dead(client, Keys(settings.namespace), "sink")))


def foreign(**changes: Any) -> bytes:
    fields = {"id": "one", "source": "src", "target": "sink", "time": 1, "data": pack({"number": 1})}
    return encode(Envelope(**(fields | changes)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"session": "two\nlines"}, b"session"),
        ({"session": "x" * 129}, b"session"),
        ({"source": "no name"}, b"source"),
        ({"data": msgspec.Raw(b"\xc7\x01\x05a")}, b""),
        ({"data": msgspec.Raw(b"\x81\xa6number\xc7\x01\x05a")}, b""),
    ],
)
@pytest.mark.parametrize("accepts", [None, {"type": "object"}])
def test_what_another_program_wrote_ends_no_module(
    settings: Settings, client: Client, changes: dict[str, Any], says: bytes, accepts: Any
) -> None:
    keys, seen = Keys(settings.namespace), []
    module = Module("sink", settings=settings)

    @module.handles(accepts=accepts)
    def handle(payload: Any) -> None:
        seen.append(payload)

    client.data.one(Command(("XADD", keys.inbox("sink"), "*", "e", foreign(**changes))))
    publish(settings, "sink", {"number": 2})
    with running(module):
        wait_until(lambda: {"number": 2} in seen)
        if not (says or accepts):
            # An extension type is handed to a handler that takes anything: what becomes of it is the handler's.
            wait_until(lambda: pending(client, keys, "sink") == 0)
            return
        wait_until(lambda: len(dead(client, keys, "sink")) == 1)
    (buried,) = dead(client, keys, "sink")
    assert says in buried[b"reason"]
    assert buried[b"attempts"] == b"1"


@pytest.mark.filterwarnings("ignore::claude_comm.client.module.self_check.ContractNotKept")
def test_a_type_that_raises_anything_while_it_reads_buries_its_message(settings: Settings, client: Client) -> None:
    class Odd(msgspec.Struct):
        number: int

        def __post_init__(self) -> None:
            raise KeyError(self.number)

    keys, module = Keys(settings.namespace), Module("sink", settings=settings)

    @module.handles()
    def handle(payload: Odd) -> None: ...

    publish(settings, "sink", {"number": 1}, {"number": 2})
    with running(module):
        wait_until(lambda: len(dead(client, keys, "sink")) == 2)


def test_what_the_server_refuses_to_bury_stands_in_nobodys_way(
    settings: Settings, client: Client, keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    """Measured before: each read failed at it, and a module handled nothing any more."""
    publish(settings, "sink", 1)
    ((_, (_, body)),) = client.data.one(Command(("XRANGE", keys.inbox("sink"), "-", "+")))
    client.data.one(Command(("SET", keys.dead("sink"), "no stream")))
    for unreadable in (b"no envelope", encode(msgspec.structs.replace(decode(body), id="late", expires=1))):
        client.data.one(Command(("XADD", keys.inbox("sink"), "*", "e", unreadable)))
    publish(settings, "sink", *range(2, 20))
    module, seen = Module("sink", settings=settings, lease_s=0.1, batch=4), list[int]()

    @module.handles()
    def handle(number: int) -> None:
        seen.append(number)

    with running(module):
        wait_until(lambda: set(seen) == set(range(1, 20)))
        wait_until(lambda: pending(client, keys, "sink") == 2)
        client.data.one(Command(("DEL", keys.dead("sink"))))
        wait_until(lambda: pending(client, keys, "sink") == 0)
    assert len(dead(client, keys, "sink")) == 2
    assert capfd.readouterr().err.count("delivery.not_buried") == 1
