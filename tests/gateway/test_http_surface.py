"""What HTTP itself allows: methods, bodies, codings, charsets, slashes, ranges and unicode, as any client uses it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from claude_comm.gateway.core.errors import GatewayRefusal
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.core.requests import check_depth
from claude_comm.settings import Settings
from tests.support.gateways import serving_gateway, token_of

EVENT = {"specversion": "1.0", "id": "1", "source": "web", "type": "page", "target": "sink", "data": 1}
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def http(settings: Settings) -> Iterator[httpx.Client]:
    with serving_gateway(settings, GatewaySettings(port=0)) as served, served.http(token_of(settings, "web")) as client:
        yield client


def test_each_event_of_a_batch_has_its_own_result(http: httpx.Client) -> None:
    events = [EVENT, "no event", {**EVENT, "target": {}}, {"specversion": "1.0", "id": "2"}, EVENT]
    answer = http.post("/v1/messages", json=events, headers=BATCH)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert ["id" in result for result in results] == [True, False, False, False, True]
    assert [result["error"]["code"] for result in results[1:4]] == ["unusable"] * 3
    assert "target" in results[3]["error"]["detail"]
    assert http.post("/v1/messages", json={"no": "list"}, headers=BATCH).status_code == 400


def test_methods_bodies_and_addresses_are_taken_as_http_means_them(http: httpx.Client) -> None:
    assert http.request("GET", "/healthz", content=b'{"a": 1}').json() == {"status": "alive"}
    head = http.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")
    wrong = http.delete("/v1/modules")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "wrong_method")
    assert "POST" in http.options("/v1/messages").headers["allow"]
    assert http.get("/v1/agreements/").headers["location"].endswith("/v1/agreements")
    part = http.get("/static/client.js", headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    for path in ("/v1/modules/%E2%98%83/contract", "/v1/modules/%ff%fe/contract", "/v1/modules/a%00b/contract"):
        assert http.get(path).status_code in (400, 404), path


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_before_it_is_read(http: httpx.Client, coding: str) -> None:
    answer = http.post("/v1/messages", json=EVENT, headers={"content-encoding": coding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json"]
)
def test_json_in_another_charset_than_utf_8_is_refused(http: httpx.Client, kind: str) -> None:
    content = b'{"specversion": "1.0", "target": "sink", "data": "\xe9"}'
    answer = http.post("/v1/messages", content=content, headers={"content-type": f"{kind}; Charset=latin-1"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")
    fine = http.post(
        "/v1/messages", json={"target": "sink"}, headers={"content-type": 'application/json; charset="UTF-8"'}
    )
    assert fine.status_code == 202


def test_data_nests_no_deeper_than_the_limit_whatever_it_was_written_in() -> None:
    value: object = 1
    for _ in range(64):
        value = [value, {"a": 1}]
    check_depth(value, 65)
    with pytest.raises(GatewayRefusal, match="deeper than 64"):
        check_depth(value, 64)
