"""What failed or is not due yet waits on the server: whoever dies, nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Consumer, Module, Publisher, RetryPolicy, Settings
from claude_comm.effects import Command, Script
from claude_comm.envelope import decode
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import later
from claude_comm.progress.events import Handled, Retried
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.connect_async import connect_async
from claude_comm.transport.driver import Client
from tests.support.later import bodies, waiting
from tests.support.modules import running
from tests.support.streams import dead, events, pending, publish
from tests.support.waiting import PATIENCE_S, wait_until


def run_until_killed(script: str, environ: dict[str, str], done: Any) -> None:
    """Runs the script as a process of its own, and kills it as soon as `done` holds."""
    child = subprocess.Popen([sys.executable, "-c", script], env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_until(done)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


FAILING = """
from claude_comm import Module, RetryPolicy
module = Module("sink", retry=RetryPolicy(attempts=5, first_wait_s={wait_s}, jitter=0))
@module.handles()
def handle(payload: int) -> None:
    raise ValueError(payload)
module.run()
"""


def test_a_module_killed_between_failing_and_retrying_loses_nothing(
    client: Client, keys: Keys, settings: Settings, environ: dict[str, str]
) -> None:
    """What failed waits on the server, with its attempts, for whichever instance is there when it is due."""
    ids = publish(settings, "sink", 1, 2, 3)
    run_until_killed(FAILING.format(wait_s=0.8), environ, lambda: waiting(client, keys, "sink") == 3)
    assert pending(client, keys, "sink") == 0
    with Consumer("sink", settings=settings) as consumer:
        back: list[Any] = []
        wait_until(lambda: bool(back.extend(consumer.read(wait_s=0.1)) or len(back) == 3))
        assert sorted((one.payload(), one.attempts) for one in back) == [(1, 2), (2, 2), (3, 2)]
        assert sorted(one.envelope.id for one in back) == ids
        for one in back:
            consumer.ack(one)
    assert (waiting(client, keys, "sink"), pending(client, keys, "sink")) == (0, 0)
    told = events(client, keys, "sink")
    retried = [event for event in told if isinstance(event, Retried)]
    assert sorted(event.delivery.id for event in retried) == ids
    assert {event.reason[:10] for event in retried} == {"ValueError"}
    assert [event.due_us - event.delivery.settled_us for event in retried] == [800_000] * 3


MOVING = """
import time
from claude_comm import Settings
from claude_comm.runtime.environment import settings_of_process
from claude_comm.transport.connect import connect
from claude_comm.names import Keys
from claude_comm.ops import later
settings = settings_of_process()
keys = Keys(settings.namespace)
with connect(settings) as client:
    while True:
        client.run(later.move_due(keys, keys.inbox("sink"), now_ms=time.time_ns() // 1_000_000, limit=7))
        time.sleep(0.001)
"""


def test_a_process_killed_while_it_moves_what_is_due_loses_and_doubles_nothing(
    client: Client, keys: Keys, settings: Settings, environ: dict[str, str]
) -> None:
    due_ms = time.time_ns() // 1_000_000 - 1
    expected = [b"body %d" % number for number in range(3_000)]
    words: list[Any] = [word for body in expected for word in (due_ms, later.member(body, 0))]
    client.data.one(Command(("ZADD", keys.later("sink"), *words)))

    def moved() -> int:
        return int(client.data.one(Command(("XLEN", keys.inbox("sink")))))

    def more_than(count: int) -> bool:
        return moved() > count or moved() == len(expected)  # all, where the killer came late

    for goal in (1, 900, 1_800):
        run_until_killed(MOVING, environ, partial(more_than, max(goal, moved())))
        there = bodies(client, keys.inbox("sink"))
        left = client.data.one(Command(("ZRANGE", keys.later("sink"), 0, -1)))
        assert Counter(there) + Counter(member.partition(b":")[2] for member in left) == Counter(expected)
    assert moved() > 1_000


def test_many_that_move_at_once_move_each_once(client: Client, keys: Keys, settings: Settings) -> None:
    with Publisher("src", settings=settings) as publisher:
        for number in range(200):
            publisher.publish("sink", number, delay_s=0.05)
    consumers = [Consumer("sink", settings=settings) for _ in range(4)]
    seen: list[int] = []

    def read_all() -> bool:
        for consumer in consumers:
            for delivery in consumer.read(wait_s=0.01):
                seen.append(delivery.payload())
                consumer.ack(delivery)
        return len(seen) >= 200

    wait_until(read_all)
    for consumer in consumers:
        consumer.close()
    assert sorted(seen) == list(range(200))
    assert (waiting(client, keys, "sink"), pending(client, keys, "sink")) == (0, 0)


def test_a_retry_whose_reply_was_lost_and_that_is_sent_again_moves_nothing_twice(
    client: Client, keys: Keys, settings: Settings
) -> None:
    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        for _ in range(2):
            consumer.retry(delivery, wait_s=30, reason="later")
        assert waiting(client, keys, "sink") == 1
        assert len([event for event in events(client, keys, "sink") if isinstance(event, Retried)]) == 1


def test_who_lost_a_delivery_can_neither_retry_nor_bury_it(client: Client, keys: Keys, settings: Settings) -> None:
    publish(settings, "sink", 1)
    with (
        Consumer("sink", settings=settings, lease_s=0.001) as slow,
        Consumer("sink", settings=settings, lease_s=0.001) as fast,
    ):
        (lost,) = slow.read()
        found: list[Any] = []
        wait_until(lambda: bool(found.extend(fast.read(wait_s=0.01)) or found))
        slow.retry(lost, wait_s=0, reason="mine")
        slow.fail(lost, "mine")
        assert (waiting(client, keys, "sink"), dead(client, keys, "sink")) == (0, [])
        fast.ack(found[0])
    assert pending(client, keys, "sink") == 0


def test_the_message_that_comes_back_is_the_one_that_was_sent_to_the_byte(
    client: Client, keys: Keys, settings: Settings
) -> None:
    """A signature, or a field of a newer release, would not survive decoding and encoding again."""
    publish(settings, "sink", {"n": 1})
    (sent,) = bodies(client, keys.inbox("sink"))
    with Consumer("sink", settings=settings) as consumer:
        for attempt in (1, 2, 3):
            (delivery,) = consumer.read()
            assert (delivery.entry.body, delivery.attempts) == (sent, attempt)
            consumer.retry(delivery, wait_s=0, reason="again")
    assert set(bodies(client, keys.inbox("sink"))) == {sent}


def test_a_foreign_count_of_attempts_is_no_trouble(client: Client, keys: Keys, settings: Settings) -> None:
    publish(settings, "sink", 1)
    (body,) = bodies(client, keys.inbox("sink"))
    for told in ("-3", "nine", "9" * 40, ""):
        client.data.one(Command(("XADD", keys.inbox("sink"), "*", "e", body, "a", told)))
    with Consumer("sink", settings=settings) as consumer:
        assert [delivery.attempts for delivery in consumer.read()] == [1] * 5


def test_a_delivery_from_a_topic_is_retried_by_its_own_module_alone(
    client: Client, keys: Keys, settings: Settings
) -> None:
    publish(settings, "topic:news", "extra")
    for name in ("one", "two"):
        with Consumer(name, topics=["news"], settings=settings) as consumer:
            (delivery,) = consumer.read()
            if name == "one":
                consumer.retry(delivery, wait_s=0, reason="busy")
            else:
                consumer.ack(delivery)
    assert int(client.data.one(Command(("XPENDING", keys.topic("news"), "one")))[0]) == 0
    with Consumer("one", topics=["news"], settings=settings) as consumer:
        (again,) = consumer.read()
        assert (again.payload(), again.attempts, again.envelope.target) == ("extra", 2, "topic:news")
        assert again.reader.stream == keys.inbox("one")
        consumer.ack(again)
    with Consumer("two", topics=["news"], settings=settings) as consumer:
        assert consumer.read(wait_s=0.05) == []


def test_each_type_of_message_has_the_policy_of_its_handler(client: Client, keys: Keys, settings: Settings) -> None:
    tried: Counter[str] = Counter()
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=2, first_wait_s=0.01, never=(KeyError,)))

    @module.handles("often", retry=RetryPolicy(attempts=4, first_wait_s=0.01))
    def often(payload: Any) -> None:
        tried["often"] += 1
        raise KeyError(payload)

    @module.handles("twice")
    def twice(payload: Any) -> None:
        tried["twice"] += 1
        raise ValueError(payload)

    @module.handles("never")
    def never(payload: Any) -> None:
        tried["never"] += 1
        raise KeyError(payload)

    with Publisher("src", settings=settings) as publisher:
        for type_ in ("often", "twice", "never"):
            publisher.publish("sink", type_, type=type_)
    with running(module):
        wait_until(lambda: len(dead(client, keys, "sink")) == 3)
    assert tried == {"often": 4, "twice": 2, "never": 1}
    by_type = {decode(one[b"e"]).type: one for one in dead(client, keys, "sink")}
    assert {name: one[b"attempts"] for name, one in by_type.items()} == {"often": b"4", "twice": b"2", "never": b"1"}
    assert b"not tried again" in by_type["never"][b"reason"]
    assert b"Traceback" in by_type["often"][b"traceback"]
    assert b"raise KeyError(payload)" in by_type["often"][b"traceback"]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [ValueError("x" * 3_000_000), ValueError("\udcff lone"), Unspeakable()])
def test_whatever_an_exception_says_the_module_lives_and_the_message_is_retried_and_buried(
    client: Client, keys: Keys, settings: Settings, error: Exception
) -> None:
    module, seen = Module("sink", settings=settings, retry=RetryPolicy(attempts=2, first_wait_s=0)), []

    @module.handles()
    def handle(payload: str) -> None:
        if payload == "bad":
            raise error
        seen.append(payload)

    publish(settings, "sink", "bad", "good")
    with running(module):
        wait_until(lambda: bool(dead(client, keys, "sink")) and bool(seen))
    (buried,) = dead(client, keys, "sink")
    assert buried[b"attempts"] == b"2"
    assert type(error).__name__.encode() in buried[b"reason"]
    assert len(buried[b"reason"]) < 4_000
    assert len(buried[b"traceback"]) < 20_000


def test_a_burial_names_the_place_in_the_payload_and_in_the_schema(
    client: Client, keys: Keys, settings: Settings
) -> None:
    module = Module("sink", settings=settings)
    module.handles(accepts={"properties": {"n": {"maximum": 5}}})(lambda payload: None)
    publish(settings, "sink", {"n": 9})
    client.data.one(Command(("XADD", keys.inbox("sink"), "*", "e", b"\xc1")))
    with running(module):
        wait_until(lambda: len(dead(client, keys, "sink")) == 2)
    by_path = {one[b"path"]: one for one in dead(client, keys, "sink")}
    assert by_path[b"$.n"][b"schema_path"] == b"/properties/n/maximum"
    assert b"DecodeError" in by_path[b""][b"traceback"]


def test_an_end_that_the_server_did_not_hear_of_comes_back_after_the_lease(
    client: Client, keys: Keys, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of such a delivery is not renewed, or nobody would ever have it again."""
    module, tries = Module("sink", settings=settings, lease_s=0.3), []
    unheard = Consumer.retry
    monkeypatch.setattr(
        Consumer, "retry", lambda *_, **__: (_ for _ in ()).throw(ServerUnreachable("unix://x", "cut off"))
    )

    @module.handles()
    def handle(payload: int) -> None:
        tries.append(payload)
        if len(tries) == 1:
            raise ValueError
        monkeypatch.setattr(Consumer, "retry", unheard)

    publish(settings, "sink", 7)
    with running(module):
        wait_until(lambda: tries == [7, 7])
    assert pending(client, keys, "sink") == 0


def test_a_server_that_forgot_the_scripts_is_sent_them_again(client: Client, keys: Keys, settings: Settings) -> None:
    script = Script("due", (keys.later("x"), keys.inbox("x")), (0, 1))

    def ask() -> Any:
        return (yield script)

    async def ask_async() -> Any:
        opened = connect_async(settings)
        async with opened:
            return await opened.run(ask())

    for _ in range(2):
        client.data.one(Command(("SCRIPT", "FLUSH")))
        assert client.run(ask()) == [0, b""]
        client.data.one(Command(("SCRIPT", "FLUSH")))
        assert asyncio.run(ask_async()) == [0, b""]
    assert client.run(ask()) == [0, b""]
    client.data.one(Command(("SET", keys.later("x"), "no set")))
    with pytest.raises(ServerRefused) as refused:
        client.run(ask())
    assert refused.value.code == "WRONGTYPE"


def test_the_projection_tells_that_a_message_is_tried_again_and_then_that_it_was_handled(settings: Settings) -> None:
    def delivery() -> tuple[str, str, int]:
        with open_database(settings.database) as database, connect(settings) as client:
            catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
            (row,) = queries.messages(database)
            (one,) = queries.deliveries(database, row)
            return row.status, one.status, one.attempts

    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        (first,) = consumer.read()
        consumer.retry(first, wait_s=0, reason="busy")
        assert delivery() == ("retrying", "retrying", 1)
        (second,) = consumer.read()
        consumer.ack(second)
    assert delivery() == ("handled", "handled", 2)


def test_events_of_one_message_are_in_the_order_in_which_they_happened(
    client: Client, keys: Keys, settings: Settings
) -> None:
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=3, first_wait_s=0.01))
    tries: list[int] = []

    @module.handles()
    def handle(payload: int) -> None:
        tries.append(payload)
        if len(tries) < 3:
            raise ValueError("not yet")

    publish(settings, "sink", 1)
    with running(module):
        wait_until(lambda: len(tries) == 3)
    told = [event for event in events(client, keys, "sink") if isinstance(event, Retried | Handled)]
    assert [type(event).__name__ for event in told] == ["Retried", "Retried", "Handled"]
    assert [event.delivery.attempts for event in told if isinstance(event, Retried)] == [1, 2]
    assert [one.attempts for event in told if isinstance(event, Handled) for one in event.deliveries] == [3]


def test_no_path_of_this_machine_is_needed_to_find_the_scripts() -> None:
    """They lie in the package, so that an installed one has them too."""
    import claude_comm

    package = Path(claude_comm.__file__).parent
    named = {name for file in package.rglob("*.py") for name in re.findall(r'Script\(\s*"(\w+)"', file.read_text())}
    assert {"bury", "due", "redrive", "retry"} <= named
    scripts = list((package / "ops" / "lua").iterdir())
    included = {name for path in scripts for name in re.findall(r"(?m)^-- include: (\w+)$", path.read_text())}
    assert named | included == {path.stem for path in scripts}


def test_many_wait_and_expire_together(client: Client, keys: Keys, settings: Settings) -> None:
    with Publisher("src", settings=settings) as publisher:
        ids = publisher.publish_many("sink", range(1200), delay_s=0.3, ttl_s=60)
        assert waiting(client, keys, "sink") == 1200
        soon = publisher.publish_soon("brief", 1, ttl_s=0).result(PATIENCE_S)
    with Consumer("sink", settings=settings, batch=500) as consumer:
        seen: list[Any] = []
        wait_until(lambda: seen.extend(consumer.read(wait_s=0.1)) or len(seen) == 1200)
        assert [delivery.envelope.id for delivery in seen] == ids
        assert {delivery.envelope.expires - delivery.envelope.not_before for delivery in seen} == {60_000_000}
        for delivery in seen:
            consumer.ack(delivery)
    with Consumer("brief", settings=settings) as consumer:
        assert consumer.read(wait_s=0.1) == []
    (entry,) = client.data.one(Command(("XRANGE", keys.dead("brief"), "-", "+")))
    assert soon.encode() in entry[1][1]
    assert b"expired" in entry[1]
