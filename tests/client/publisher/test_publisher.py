"""Publishing: into the stream, under an agreement, with the same id when it is tried again."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import (
    AgreementBroken,
    EncodeError,
    InvalidName,
    NegotiationRefused,
    ServerUnreachable,
    TooLarge,
    UnknownModule,
)
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.registry.contracts import contract
from claude_comm.runtime import private_server
from claude_comm.schema import Incompatible
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.streams import sent
from tests.support.waiting import PATIENCE_S, wait_until

ORDER = {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}, "required": ["price"]}


def accept(client: Client, settings: Settings, module: str, **types: Any) -> None:
    client.run(registration.register(Keys(settings.namespace), contract(module, accepts=types)))


def test_a_published_message_is_in_the_inbox_with_its_id(client: Client, settings: Settings) -> None:
    with Publisher("shop", settings=settings) as publisher:
        id_ = publisher.publish("till", {"price": 3}, session="s1", headers={"k": "v"})
    (envelope,) = sent(client, settings, "till")
    assert (envelope.id, envelope.source, envelope.payload()) == (id_, "shop", {"price": 3})
    assert (envelope.session, envelope.headers) == ("s1", {"k": "v"})


def test_many_keep_their_order_and_nothing_goes_when_one_cannot(client: Client, settings: Settings) -> None:
    with Publisher("shop", settings=settings) as publisher:
        ids = publisher.publish_many("till", range(500))
        with pytest.raises(TooLarge):
            publisher.publish_many("till", ["fine", "x" * 2_000_000])
    found = sent(client, settings, "till")
    assert [envelope.id for envelope in found] == ids
    assert [envelope.payload() for envelope in found] == list(range(500))


def test_the_stream_is_announced_to_the_projection_before_its_first_message(client: Client, settings: Settings) -> None:
    keys = Keys(settings.namespace)
    with Publisher("shop", settings=settings) as publisher:
        publisher.publish("topic:news", 1)
    assert client.control.one(Command(("SMEMBERS", keys.streams))) == [keys.topic("news").encode()]


def test_a_wrong_name_is_refused_before_anything_is_sent(settings: Settings) -> None:
    with pytest.raises(InvalidName):
        Publisher("not a name", settings=settings)
    with Publisher("shop", settings=settings) as publisher, pytest.raises(InvalidName):
        publisher.publish("no such:name", 1)


def test_a_module_that_fits_gets_an_agreement_that_is_stamped_and_enforced(client: Client, settings: Settings) -> None:
    accept(client, settings, "till", order=ORDER)
    with Publisher("shop", settings=settings) as publisher:
        agreement = publisher.negotiate("till", ORDER, type="order")
        publisher.publish("till", {"price": 1}, type="order")
        with pytest.raises(AgreementBroken, match=r"\$\.price"):
            publisher.publish("till", {"price": -1}, type="order")
        with pytest.raises(AgreementBroken, match=r"\$\.extra"):
            publisher.publish("till", {"price": 1, "extra": True}, type="order")
    assert [envelope.agreement for envelope in sent(client, settings, "till")] == [agreement.id]


def test_a_module_that_does_not_fit_is_refused_with_a_message_that_shows_it(client: Client, settings: Settings) -> None:
    accept(client, settings, "till", order=ORDER)
    produced = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
    with Publisher("shop", settings=settings) as publisher:
        with pytest.raises(NegotiationRefused, match="price") as caught:
            publisher.negotiate("till", produced, type="order")
        assert publisher.publish("till", {"price": -1}, type="order"), "a refusal is not an agreement"
    refusal = caught.value.refusal
    assert isinstance(refusal.verdict, Incompatible)
    assert refusal.verdict.witness["price"] < 0


def test_an_unknown_target_is_named_with_the_near_one(client: Client, settings: Settings) -> None:
    accept(client, settings, "till", order=ORDER)
    with Publisher("shop", settings=settings) as publisher, pytest.raises(UnknownModule, match="Did you mean 'till'"):
        publisher.negotiate("tiller", ORDER, type="order")


MOMENT = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


class Sale(msgspec.Struct):
    price: Any


@pytest.mark.parametrize(
    ("price", "form"),
    [(3, 3), (2.5, 2.5), (decimal.Decimal("1.5"), "1.5"), (MOMENT, 0)],
)
def test_what_is_sent_under_an_agreement_is_in_its_json_form_or_refused(
    client: Client, settings: Settings, price: Any, form: Any
) -> None:
    text = {"type": "object", "properties": {"price": {"type": ["number", "string"], "maxLength": 3}}}
    accept(client, settings, "till", sale=text)
    with Publisher("shop", settings=settings) as publisher:
        publisher.negotiate("till", text, type="sale")
        for sale in (Sale(price), {"price": price}):
            if form == 0:
                with pytest.raises(AgreementBroken, match="price"):
                    publisher.publish_many("till", [sale], type="sale")
                with pytest.raises(AgreementBroken, match="price"):
                    publisher.publish("till", sale, type="sale")
                continue
            publisher.publish_many("till", [sale], type="sale")
            publisher.publish("till", sale, type="sale")
    assert [envelope.payload() for envelope in sent(client, settings, "till")] == [{"price": form}] * 4 * (form != 0)


@pytest.mark.parametrize("price", [math.nan, -math.inf])
def test_a_float_that_is_not_finite_is_refused_under_an_agreement(
    client: Client, settings: Settings, price: float
) -> None:
    accept(client, settings, "till", sale=ORDER)
    with Publisher("shop", settings=settings) as publisher:
        publisher.negotiate("till", ORDER, type="sale")
        for payload in ({"price": price}, {"price": 1.0, "more": price}):
            with pytest.raises((EncodeError, AgreementBroken)):
                publisher.publish_many("till", [{"price": 1.0}, payload], type="sale")
            with pytest.raises((EncodeError, AgreementBroken)):
                publisher.publish("till", payload, type="sale")
    assert sent(client, settings, "till") == []


def test_a_struct_is_its_own_schema(client: Client, settings: Settings) -> None:
    class Order(msgspec.Struct):
        price: int

    accept(client, settings, "till", order={"type": "object", "properties": {"price": {"type": "integer"}}})
    with Publisher("shop", settings=settings) as publisher:
        publisher.negotiate("till", Order, type="order")
        publisher.publish("till", Order(price=3), type="order")
    assert sent(client, settings, "till")[0].payload(Order) == Order(3)


def test_the_same_question_is_answered_from_the_store(client: Client, settings: Settings) -> None:
    accept(client, settings, "till", order=ORDER)
    with Publisher("shop", settings=settings) as first, Publisher("shop", settings=settings) as second:
        assert first.negotiate("till", ORDER, type="order") == second.negotiate("till", ORDER, type="order")


def test_threads_share_a_publisher(client: Client, settings: Settings) -> None:
    with Publisher("shop", settings=settings) as publisher:
        threads = [threading.Thread(target=lambda: [publisher.publish("till", n) for n in range(50)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({envelope.id for envelope in sent(client, settings, "till")}) == 400


def test_the_asyncio_publisher_does_the_same(client: Client, settings: Settings) -> None:
    accept(client, settings, "till", order=ORDER)

    async def scenario() -> None:
        async with AsyncPublisher("shop", settings=settings) as publisher:
            await publisher.negotiate("till", ORDER, type="order")
            await asyncio.gather(*(publisher.publish("till", {"price": n}, type="order") for n in range(50)))
            await publisher.publish_many("till", [{"price": 50}], type="order")
            with pytest.raises(AgreementBroken):
                await publisher.publish("till", {"price": "free"}, type="order")

    asyncio.run(scenario())
    assert sorted(envelope.payload()["price"] for envelope in sent(client, settings, "till")) == list(range(51))


def test_a_publish_outlives_a_restart_of_the_server_with_its_id(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.attempts.RETRY_WAITS_S", (0.1,) * int(PATIENCE_S / 0.1))
    settings = Settings(home=home)
    with Publisher("shop", settings=settings) as publisher:
        publisher.publish("till", 1)
        pid = private_server.server_pid(home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not private_server.alive(pid))
        threading.Timer(0.3, private_server.ensure, [home]).start()
        id_ = publisher.publish("till", 2)
    with connect(settings) as client:
        assert [envelope.id for envelope in sent(client, settings, "till")][-1] == id_


def test_a_server_that_stays_away_is_an_error_that_says_so(home: Path) -> None:
    settings = Settings(home=home)
    with Publisher("shop", settings=settings) as publisher:
        private_server.stop(home)
        with pytest.raises(ServerUnreachable, match="claude-comm up"):
            publisher.publish("till", 1)


@pytest.mark.parametrize("data", [b"\xc1", b"", b"\xc0\xc0", b"\xa1\xff"])
def test_bytes_given_as_messagepack_that_are_none_are_refused_at_the_door(
    client: Client, settings: Settings, data: bytes
) -> None:
    raw = msgspec.Raw(data)
    with Publisher("shop", settings=settings) as publisher:
        for send in (
            lambda: publisher.publish("till", raw),
            lambda: publisher.publish("till", raw, ttl_s=60),
            lambda: publisher.publish_soon("till", raw),
            lambda: publisher.publish_many("till", [1, raw]),
        ):
            with pytest.raises(EncodeError, match=r"msgspec\.Raw"):
                send()
        publisher.publish("till", msgspec.Raw(b"\x01"))
        publisher.publish_many("till", [msgspec.Raw(b"\x02")])
    assert [envelope.payload() for envelope in sent(client, settings, "till")] == [1, 2]
