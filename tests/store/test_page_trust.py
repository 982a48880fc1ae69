"""The projection believes what was signed: what was not is refused, or marked, and takes nobody's place."""

from __future__ import annotations

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, encode, pack
from claude_comm.names import Keys
from claude_comm.ops.publish import announce
from claude_comm.progress.events import EVENT_TYPE, TaskProgress
from claude_comm.store import queries
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.store.verify import verify
from claude_comm.transport.driver import Client
from tests.support.signed_namespace import forge, signed


def stored(client: Client, settings: Settings) -> tuple[list[object], list[tuple[str, str, int]]]:
    """The payloads in the projection, and the doubts: source, reason and whether it was refused."""
    with open_database(settings.database) as database:
        caught_up(client, database, settings)
        payloads = [row.payload() for row in queries.messages(database)]
        doubts = database.rows("SELECT source, reason, refused FROM doubtful ORDER BY number")
        assert verify(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes).ok
    return sorted(payloads, key=str), [(source, reason, refused) for source, reason, refused in doubts]


def a_message(payload: object, *, id: str = "forged", source: str = "a", target: str = "b") -> bytes:
    return encode(Envelope(id=id, source=source, target=target, time=1, data=pack(payload)))


def test_what_is_signed_is_stored_and_a_forged_source_is_refused(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    with Publisher("a", settings=signing) as publisher:
        publisher.publish_many("b", range(150))
        publisher.publish("b", 150)
    forge(client, keys.inbox("b"), a_message("evil"))
    payloads, doubts = stored(client, signing)
    assert payloads == sorted(range(151), key=str)
    assert doubts == [("a", "it has no signature.", 1)]


def test_with_warn_it_is_stored_and_marked(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client, signing="warn")
    client.run(announce(keys, [keys.inbox("b")]))
    forge(client, keys.inbox("b"), a_message("odd"))
    assert stored(client, signing) == (["odd"], [("a", "it has no signature.", 0)])


@pytest.mark.parametrize("attack", ["altered", "copied", "another's name"])
def test_altered_copied_and_other_peoples_messages_are_refused(
    attack: str, settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client, modules=("a", "b", "c"))
    with Publisher("c" if attack == "another's name" else "a", settings=signing) as publisher:
        publisher.publish("b", "true")
    ((_, pairs),) = client.data.one(Command(("XRANGE", keys.inbox("b"), "-", "+")))
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if attack == "another's name":
        fields[b"e"] = fields[b"e"].replace(b"\xa1c", b"\xa1a", 1)
    elif attack == "altered":
        fields[b"e"] = fields[b"e"].replace(b"true", b"evil")
    stream = keys.inbox("c" if attack == "copied" else "b")
    client.run(announce(keys, [stream]))
    client.data.one(Command(("DEL", keys.inbox("b"))))
    client.data.one(Command(("XADD", stream, "*", *(word for pair in fields.items() for word in pair))))
    payloads, doubts = stored(client, signing)
    assert payloads == []
    assert [refused for _, _, refused in doubts] == [1]


def test_a_forged_event_moves_no_progress(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    event = TaskProgress(task="t", completed=9, total=9)
    body = encode(Envelope(id="x", source="b", target="b", type=EVENT_TYPE, time=1, data=pack(event)))
    client.run(announce(keys, [keys.events("b")]))
    forge(client, keys.events("b"), body)
    _, doubts = stored(client, signing)
    assert doubts == [("b", "it has no signature.", 1)]
    with open_database(signing.database) as database:
        assert queries.progress(database) == []


def test_a_forged_first_copy_of_a_delayed_message_does_not_take_its_place(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    with Publisher("a", settings=signing) as publisher, Consumer("b", settings=signing) as consumer:
        publisher.publish("b", "true", delay_s=0.2)
        (waiting,) = client.data.one(Command(("ZRANGE", keys.later("b"), 0, -1)))
        start = waiting.index(b"\xa2id") + 5
        forge(client, keys.inbox("b"), a_message("evil", id=waiting[start : start + 36].decode()))
        handed: list[object] = []
        while not handed:
            deliveries = consumer.read(wait_s=1)
            handed += [delivery.payload() for delivery in deliveries]
            for delivery in deliveries:
                consumer.ack(delivery)
        assert handed == ["true"]
    payloads, doubts = stored(client, signing)
    assert payloads == ["true"]
    assert ("a", "it has no signature.", 1) in doubts


def test_a_message_of_a_topic_that_is_retried_is_believed(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    reader = Consumer("b", topics=["news"], settings=signing)
    with Publisher("a", settings=signing) as publisher, reader as consumer:
        publisher.publish("topic:news", "again")
        (delivery,) = consumer.read(wait_s=5)
        consumer.retry(delivery, wait_s=0.01, reason="not now")
        while not (deliveries := consumer.read(wait_s=1)):
            pass
        consumer.ack(deliveries[0])
    assert stored(client, signing)[0] == ["again"]
    assert [doubt for doubt in stored(client, signing)[1] if doubt[0] == "a"] == []


def moved(client: Client, stream: str) -> list[dict[bytes, bytes]]:
    """The fields of its entries, which are not there any more."""
    rows = client.data.one(Command(("XRANGE", stream, "-", "+")))
    client.data.one(Command(("DEL", stream)))
    return [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in rows]


def put(client: Client, stream: str, fields: dict[bytes, bytes]) -> None:
    client.data.one(Command(("XADD", stream, "*", *(word for pair in fields.items() for word in pair))))


def test_each_of_a_page_is_judged_by_what_stands_beside_it(settings: Settings, client: Client, keys: Keys) -> None:
    signing, inbox = signed(settings, client), keys.inbox("b")
    with Publisher("a", settings=signing) as publisher, Publisher("b", settings=signing) as other:
        publisher.publish_many("b", range(5))
        other.publish("b", "of b")
    *flight, lone = moved(client, inbox)
    # Without the second one nothing proves its neighbours, and each stands for itself.
    flight[2][b"k"] = lone[b"k"]
    flight[3][b"e"] = flight[3][b"e"][:-1] + b"\x09"
    forge(client, inbox, b"no envelope")
    for fields in (flight[0], flight[2], flight[3], flight[4]):
        put(client, inbox, fields)
    payloads, doubts = stored(client, signing)
    assert payloads == [0, 4]
    assert [(source, reason.split()[1]) for source, reason, _ in doubts] == [("a", "key"), ("a", "signature")]


def test_a_message_of_a_topic_is_believed_in_an_inbox_behind_others(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    with Publisher("a", settings=signing) as publisher:
        publisher.publish_many("b", ["first", "second"])
        publisher.publish("topic:news", "again")
    for fields in moved(client, keys.topic("news")):
        put(client, keys.inbox("b"), fields)
    assert stored(client, signing) == (["again", "first", "second"], [])
