"""What a client of an inbox has room for is what it is sent, whatever stands half open beside it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from claude_comm import Publisher
from claude_comm.gateway.core.options import GatewaySettings, Limits
from claude_comm.settings import Settings
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.talks import Talk
from tests.support.waiting import PATIENCE_S

HALF = b"GET /v1/socket HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    limits = Limits(header_s=PATIENCE_S, hello_s=PATIENCE_S, drain_s=0.5)
    with serving_gateway(settings, GatewaySettings(port=0, limits=limits)) as gateway:
        yield gateway


@pytest.mark.parametrize("count", [50, pytest.param(1_000, marks=pytest.mark.long)])
def test_a_subscriber_without_credit_is_sent_nothing_until_it_has_some_beside_half_open_handshakes(
    settings: Settings, served: Served, count: int
) -> None:
    parts = urlsplit(served.address)
    with ExitStack() as halves, Talk(served, token_of(settings, "web")) as talk:
        talk.say("subscribe", sub="in", inbox="web", credit=0, ref=1)
        talk.hear("subscribed")
        for _ in range(count):
            half = halves.enter_context(socket.create_connection((parts.hostname, parts.port), PATIENCE_S))
            half.sendall(HALF)
        with Publisher("paper", settings=settings) as publisher:
            publisher.publish_many("web", range(5))
        # The answer to this comes behind whatever was delivered before.
        talk.say("publish", messages=[{"target": "other", "data": 1}], ref="r")
        assert talk.hear("deliver", "published", "error")["kind"] == "published"
        talk.say("credit", sub="in", count=2)
        heard: list[int] = []
        while len(heard) < 5:
            messages = talk.hear("deliver")["messages"]
            assert len(messages) <= 2
            heard += [message["data"] for message in messages]
            for message in messages:
                talk.say("ack", sub="in", deliveries=[message["delivery"]])
    assert heard == [0, 1, 2, 3, 4]
