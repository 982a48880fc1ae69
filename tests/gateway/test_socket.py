"""Messages to and from a module over HTTP and a WebSocket, on a real server and real sockets."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from claude_comm import Consumer, Module, Publisher
from claude_comm.client import keyholders
from claude_comm.effects import Command
from claude_comm.gateway.core.options import GatewaySettings, Limits
from claude_comm.gateway.live.outbox import UNAUTHORISED
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.registry.contracts import Produced, contract
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.modules import Page, answering
from tests.support.talks import Talk
from tests.support.waiting import PATIENCE_S

PAGE = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    limits = Limits(queue_messages=500, hello_s=5, drain_s=1)
    grants = {"web": ("read:topic:news", "send:*"), "ops": ("admin",)}
    with serving_gateway(settings, GatewaySettings(port=0, limits=limits, grants=grants)) as gateway:
        yield gateway


@pytest.fixture
def token(settings: Settings) -> str:
    return token_of(settings, "web")


def register(client: Client, settings: Settings, name: str, **declared: Any) -> None:
    client.run(registration.register(Keys(settings.namespace), contract(name, **declared)))


def test_a_module_is_sent_messages_in_every_mode_of_cloudevents(settings: Settings, served: Served, token: str) -> None:
    with served.http(token) as http, Consumer("sink", settings=settings) as consumer:
        binary = http.post(
            "/v1/messages", headers={"ce-target": "sink", "ce-type": "page", "ce-id": "a1"}, json={"n": 1}
        )
        assert binary.status_code == 202
        event = {"specversion": "1.0", "id": "b", "source": "web", "type": "page", "target": "sink", "data": {"n": 2}}
        structured = http.post(
            "/v1/messages", content=json.dumps(event), headers={"content-type": "application/cloudevents+json"}
        )
        assert structured.status_code == 202
        batch = [{**event, "data": {"n": 3}}, {**event, "data_base64": "AAE=", "datacontenttype": "image/png"}]
        batched = http.post(
            "/v1/messages", content=json.dumps(batch), headers={"content-type": "application/cloudevents-batch+json"}
        )
        assert batched.status_code == 202
        assert http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"n": 4}}).status_code == 202
        seen = []
        while len(seen) < 5:
            for delivery in consumer.read(wait_s=1):
                seen.append((delivery.envelope.source, delivery.payload()))
                consumer.ack(delivery)
    assert seen == [("web", {"n": 1}), ("web", {"n": 2}), ("web", {"n": 3}), ("web", b"\x00\x01"), ("web", {"n": 4})]


def test_what_breaks_the_agreement_is_refused_with_path_rule_and_witness(
    settings: Settings, client: Client, served: Served, token: str
) -> None:
    register(client, settings, "sink", accepts={"page": PAGE})
    register(client, settings, "web", produces=[Produced("page", PAGE, "sink")])
    with served.http(token) as http:
        sent = http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"number": 1}})
        assert sent.status_code == 202
        broken = http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"number": "one"}})
        problem = broken.json()
        assert (broken.status_code, problem["code"]) == (422, "agreement_broken")
        assert (problem["path"], problem["witness"]) == ("$.number", "one")
        assert "integer" in problem["rule"]
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read(wait_s=1)
        assert delivery.envelope.agreement


def test_contracts_that_do_not_fit_are_refused_with_a_witness(
    settings: Settings, client: Client, served: Served, token: str
) -> None:
    register(client, settings, "sink", accepts={"page": PAGE})
    text = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
    register(client, settings, "web", produces=[Produced("page", text, "sink")])
    with served.http(token) as http:
        refused = http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"number": "1"}})
        assert (refused.status_code, refused.json()["code"]) == (409, "negotiation_refused")
        assert isinstance(refused.json()["witness"]["number"], str)
        assert refused.json()["path"] == "$.number"


def test_nobody_speaks_in_the_name_of_another(settings: Settings, served: Served, token: str) -> None:
    with served.http(token) as http:
        refused = http.post("/v1/messages", json={"target": "sink", "source": "bank", "data": 1})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    with served.http(token_of(settings, "watcher", service=True)) as http:
        assert http.post("/v1/messages", json={"target": "sink", "data": 1}).status_code == 403
    with served.http(token_of(settings, "ops", service=True)) as http:
        assert http.post("/v1/messages", json={"target": "sink", "source": "bank", "data": 1}).status_code == 202


def test_a_request_is_answered_by_a_module(settings: Settings, served: Served, token: str) -> None:
    module = Module("doubler", settings=settings)

    @module.handles("page")
    def double(page: Page) -> int:
        return page.number * 2

    with answering(module), served.http(token) as http, Talk(served, token) as talk:
        asked = {"target": "doubler", "type": "page", "data": {"number": 21}}
        assert http.post("/v1/requests", json={**asked, "timeout_s": 60}).json() == {"reply": 42}
        talk.say("request", ref="r", message=asked, timeout_s=60)
        assert talk.hear("reply") == {"kind": "reply", "ref": "r", "data": 42}
        broken = http.post("/v1/requests", json={**asked, "data": {"number": "x"}}).json()
        assert broken["path"] == "$.number"


def test_a_reply_that_json_does_not_have_is_told_as_text(settings: Settings, served: Served, token: str) -> None:
    """The gateway failed at it: 500 over HTTP, and no answer at all on a WebSocket."""
    carried: list[tuple[Any, Any]] = [
        ({(1, 2): 3}, "gZIBAgM="),
        (math.nan, "NaN"),
        ({"page": b"\xff"}, {"page": "/w=="}),
        ({b"\xff": 1}, {"/w==": 1}),
    ]
    module = Module("keeper", settings=settings)

    @module.handles("page")
    def fetch(page: Page) -> Any:
        return carried[page.number][0]

    with (
        answering(module),
        served.http(token) as http,
        Talk(served, token) as talk,
        Talk(served, token, "msgpack") as other,
    ):
        for number, (own, text) in enumerate(carried):
            asked = {"target": "keeper", "type": "page", "data": {"number": number}}
            assert http.post("/v1/requests", json={**asked, "timeout_s": 60}).json() == {"reply": text}
            talk.say("request", message=asked, timeout_s=60)
            assert talk.hear("reply")["data"] == text
            other.say("request", message=asked, timeout_s=60)
            assert repr(other.hear("reply")["data"]) == repr(own)


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_client_is_a_module_that_acks_and_answers(settings: Settings, served: Served, token: str, form: str) -> None:
    with Talk(served, token, form) as talk, Publisher("asker", settings=settings) as publisher:
        assert talk.welcome["module"] == "web"
        talk.say("subscribe", sub="in", inbox="web", name="main", ref=1)
        talk.hear("subscribed")
        publisher.publish("web", {"n": 1})
        (message,) = talk.hear("deliver")["messages"]
        assert (message["data"], message["source"], message["attempts"]) == ({"n": 1}, "asker", 1)
        talk.say("ack", sub="in", deliveries=[message["delivery"]])
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(publisher.request("web", {"n": 2}, timeout_s=60)))
        asking.start()
        (question,) = talk.hear("deliver")["messages"]
        talk.say("reply", sub="in", delivery=question["delivery"], data={"n": 4})
        asking.join(PATIENCE_S)
        assert answers == [{"n": 4}]


def test_what_a_client_left_undone_is_handed_to_the_next_of_its_name(
    settings: Settings, served: Served, token: str
) -> None:
    with Publisher("asker", settings=settings) as publisher:
        publisher.publish("web", {"n": 1})
    first = Talk(served, token)
    first.say("subscribe", sub="in", inbox="web", name="main")
    assert first.hear("deliver")["messages"][0]["data"] == {"n": 1}
    with Talk(served, token) as second:
        second.say("subscribe", sub="in", inbox="web", name="main")
        (message,) = second.hear("deliver")["messages"]
        assert (message["data"], message["attempts"]) == ({"n": 1}, 2)
        assert first.hear("error")["code"] == "taken_over"
        with pytest.raises(ConnectionClosed) as closed:
            first.hear("error")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4009


def test_a_subscription_is_taken_over_on_another_gateway(settings: Settings, served: Served, token: str) -> None:
    first = Talk(served, token)
    first.say("subscribe", sub="in", inbox="web", name="main")
    first.hear("subscribed")
    with serving_gateway(settings) as elsewhere, Publisher("asker", settings=settings) as publisher:
        publisher.publish("web", {"n": 1})
        assert first.hear("deliver")["messages"][0]["attempts"] == 1
        with Talk(elsewhere, token) as second:
            second.say("subscribe", sub="in", inbox="web", name="main")
            (message,) = second.hear("deliver")["messages"]
            assert (message["data"], message["attempts"]) == ({"n": 1}, 2)
            assert first.hear("error")["code"] == "taken_over"
            with pytest.raises(ConnectionClosed) as closed:
                first.hear("error")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4009
            # What comes now is the second one's alone, once, and it stays the holder.
            seen = []
            for number in range(2, 5):
                publisher.publish("web", {"n": number})
                (message,) = second.hear("deliver")["messages"]
                second.say("ack", sub="in", deliveries=[message["delivery"]])
                seen.append((message["data"]["n"], message["attempts"]))
            assert seen == [(2, 1), (3, 1), (4, 1)]


def news(settings: Settings, *numbers: int) -> None:
    with Publisher("paper", settings=settings) as publisher:
        publisher.publish_many("topic:news", [{"n": number} for number in numbers])


def numbers(talk: Talk, until: int) -> tuple[list[int], dict[str, str]]:
    seen: list[int] = []
    positions: dict[str, str] = {}
    while not seen or seen[-1] != until:
        frame = talk.hear("deliver")
        seen += [message["data"]["n"] for message in frame["messages"]]
        positions.update(frame["positions"])
    return seen, positions


def test_a_topic_is_resumed_without_a_gap_or_a_double(settings: Settings, served: Served, token: str) -> None:
    with Talk(served, token) as talk:
        talk.say("subscribe", sub="t", topic="news", start="oldest")
        assert talk.hear("subscribed")["recovered"] is True
        news(settings, *range(5))
        seen, positions = numbers(talk, 4)
        assert seen == [0, 1, 2, 3, 4]
    news(settings, *range(5, 1_300))
    with contextlib.ExitStack() as talks:
        talk = talks.enter_context(Talk(served, token))
        talk.say("subscribe", sub="t", topic="news", after=positions)
        answer = talk.hear("subscribed")
        assert (answer["recovered"], answer["missing"]) == (True, {})
        # More than the queue holds came meanwhile: the client is cut off, and goes on where it was.
        seen = []
        while not seen or seen[-1] != 1_299:
            frame = talk.hear("deliver", "error")
            if frame["kind"] == "error":
                positions = frame["resume"]["t"]
                talk = talks.enter_context(Talk(served, token))
                talk.say("subscribe", sub="t", topic="news", after=positions)
                continue
            seen += [message["data"]["n"] for message in frame["messages"]]
        assert seen == list(range(5, 1_300))


def test_what_is_gone_is_counted(settings: Settings, client: Client, served: Served, token: str) -> None:
    stream = Keys(settings.namespace).topic("news")

    def do(*words: Any) -> None:
        client.data.one(Command(words))

    with Talk(served, token) as talk:
        talk.say("subscribe", sub="t", topic="news", start="oldest")
        talk.hear("subscribed")
        news(settings, 0, 1)
        _, positions = numbers(talk, 1)
    news(settings, 2, 3, 4, 5)
    do("XTRIM", stream, "MAXLEN", 1)
    with Talk(served, token) as talk:
        talk.say("subscribe", sub="t", topic="news", after=positions)
        answer = talk.hear("subscribed")
        assert (answer["recovered"], answer["missing"]) == (False, {stream: 3})
        assert numbers(talk, 5)[0] == [5]
    do("DEL", stream)
    news(settings, 7)
    with Talk(served, token) as talk:
        talk.say("subscribe", sub="t", topic="news", after=positions)
        answer = talk.hear("subscribed")
        assert (answer["recovered"], answer["missing"]) == (False, {stream: None})
        assert numbers(talk, 7)[0] == [7]


def test_a_session_and_the_live_feed_are_for_those_who_may_read_all(
    settings: Settings, served: Served, token: str
) -> None:
    with Talk(served, token) as talk:
        talk.say("subscribe", sub="f", feed=True, ref="f")
        refused = talk.hear("error")
        assert (refused["ref"], refused["code"]) == ("f", "forbidden")
        talk.say("subscribe", sub="i", inbox="sink")
        assert talk.hear("error")["code"] == "forbidden"
        talk.say("subscribe", sub="t", topic="secrets")
        assert talk.hear("error")["code"] == "forbidden"
    with Talk(served, token_of(settings, "ops", service=True)) as talk, Publisher("p", settings=settings) as publisher:
        talk.say("subscribe", sub="s", session="run-1")
        talk.hear("subscribed")
        publisher.publish("sink", {"n": 1})
        publisher.publish("sink", {"n": 2}, session="run-1")
        (message,) = talk.hear("deliver")["messages"]
        assert (message["data"], message["session"]) == ({"n": 2}, "run-1")


def test_frames_that_are_none_are_refused_and_the_connection_goes_on(served: Served, token: str) -> None:
    with Talk(served, token) as talk:
        for bad in (
            "",
            "[]",
            '{"kind":"dance"}',
            '{"kind":"publish","messages":7}',
            "[" * 5_000,
            '{"kind":"ack","x":1}',
        ):
            talk.socket.send(bad)
            assert talk.hear("error")["code"] == "unusable"
        talk.socket.send(b"\xff\x00")
        assert talk.hear("error")["code"] == "unusable"
        talk.say("publish", messages=[{"target": "sink", "data": 1}], ref="x")
        assert "id" in talk.hear("published")["results"][0]


def test_a_frame_over_the_limit_ends_the_connection(served: Served, token: str) -> None:
    with Talk(served, token) as talk:
        talk.socket.send("x" * (served.gateway.options.limits.frame_bytes + 1))
        with pytest.raises(ConnectionClosed) as closed:
            talk.hear("nothing")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_token_that_does_not_count_is_told_so_and_closed(served: Served) -> None:
    with Talk(served, "ccm_guess") as talk:
        assert talk.welcome["code"] == "unauthorised"
        with pytest.raises(ConnectionClosed) as closed:
            talk.hear("welcome")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4001


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_origin_gets_no_websocket(served: Served, origin: str) -> None:
    subprotocols: Any = ["claude-comm.v1"]
    headers = {"origin": origin}
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(served.socket_address, subprotocols=subprotocols, additional_headers=headers, proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_one_event_a_text_frame_in_the_binding_of_cloudevents(settings: Settings, served: Served, token: str) -> None:
    subprotocols: Any = ["cloudevents.json"]
    headers = {"authorization": f"Bearer {token}"}
    address = served.socket_address + "?topic=news"
    with connect(address, subprotocols=subprotocols, additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(PATIENCE_S))["kind"] == "subscribed"
        event = {"specversion": "1.0", "id": "x", "source": "web", "type": "message", "target": "topic:news", "data": 5}
        socket.send(json.dumps(event))
        heard = json.loads(socket.recv(PATIENCE_S))
        assert (heard["specversion"], heard["source"], heard["data"]) == ("1.0", "web", 5)


def test_a_token_that_is_revoked_ends_what_it_opened(
    settings: Settings, client: Client, served: Served, token: str
) -> None:
    with Talk(served, token) as revoked, Talk(served, token_of(settings, "ops", service=True)) as other:
        keyholders.revoke(client, settings, "web")
        assert revoked.hear("error")["status"] == 401
        with pytest.raises(ConnectionClosed) as closed:
            revoked.hear("nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == UNAUTHORISED
        other.say("publish", messages=[], ref=1)
        assert other.hear("published")["ref"] == 1
