"""Server-sent events: feeds over HTTP, gone on with after their last event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from claude_comm import Publisher
from claude_comm.client import keyholders
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.gateways import Served, serving_gateway, token_of


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0)) as gateway:
        yield gateway


@pytest.fixture
def reader(settings: Settings, served: Served) -> Iterator[httpx.Client]:
    with served.http(token_of(settings, "watcher", service=True)) as http:
        yield http


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events as they come: their `event`, `id` and decoded `data`."""
    event: dict[str, Any] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line == "" and "data" in event:
            yield {**event, "data": json.loads(event["data"])}
            event = {}
        elif name:
            event[name] = value


def publish(settings: Settings, *numbers: int) -> None:
    with Publisher("web", settings=settings) as publisher:
        for number in numbers:
            publisher.publish("topic:news", number, session="run-1")


def test_a_feed_goes_on_after_its_last_event_and_leaves_nothing_out(settings: Settings, reader: httpx.Client) -> None:
    with reader.stream("GET", "/v1/feed", params={"topic": "news"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        came = events(response)
        begun = next(came)
        assert (begun["event"], begun["data"]["recovered"]) == ("subscribed", True)
        publish(settings, 1)
        first = next(came)
        assert first["data"]["data"] == 1
    publish(settings, 2, 3)
    with reader.stream("GET", "/v1/feed", params={"topic": "news"}, headers={"last-event-id": first["id"]}) as response:
        came = events(response)
        assert next(came)["data"]["missing"] == {}
        assert [next(came)["data"]["data"] for _ in range(2)] == [2, 3]


def test_a_session_is_followed_from_its_beginning(settings: Settings, reader: httpx.Client) -> None:
    publish(settings, 1, 2)
    with Publisher("web", settings=settings) as publisher:
        publisher.publish("topic:news", "of another", session="run-2")
    with reader.stream("GET", "/v1/feed", params={"session": "run-1", "start": "oldest"}) as response:
        came = events(response)
        assert next(came)["event"] == "subscribed"
        assert [next(came)["data"]["data"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("params", "headers"),
    [
        ({"topic": "news", "session": "run-1"}, {}),
        ({"topic": "no name"}, {}),
        ({"start": "middle"}, {}),
        ({"topic": "news"}, {"last-event-id": "nonsense"}),
        ({"topic": "news"}, {"last-event-id": "eyJhIjogImIifQ"}),
    ],
)
def test_what_is_no_feed_is_refused_before_it_begins(
    reader: httpx.Client, params: dict[str, str], headers: dict[str, str]
) -> None:
    refused = reader.get("/v1/feed", params=params, headers=headers)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_module_follows_the_topics_of_its_contract_alone(settings: Settings, served: Served) -> None:
    with served.http(token_of(settings, "web")) as http:
        assert http.get("/v1/feed", params={"topic": "secrets"}).status_code == 403
        assert http.get("/v1/feed").status_code == 403


def test_the_gateway_says_goodbye_with_the_place_to_go_on_from(settings: Settings) -> None:
    with serving_gateway(settings) as served:
        http = served.http(token_of(settings, "watcher", service=True))
        with http, http.stream("GET", "/v1/feed", params={"topic": "news"}) as response:
            came = events(response)
            begun = next(came)
            served.stop()
            goodbye = next(came)
            assert goodbye["event"] == "goodbye"
            assert goodbye["id"] == begun["id"]
            assert next(came, None) is None


def test_a_token_that_is_revoked_ends_its_feed(settings: Settings, client: Client, reader: httpx.Client) -> None:
    with reader.stream("GET", "/v1/feed", params={"topic": "news"}) as response:
        came = events(response)
        next(came)
        keyholders.revoke(client, settings, "watcher")
        assert [event["event"] for event in came] == ["error"]
