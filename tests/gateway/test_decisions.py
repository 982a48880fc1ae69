"""Negotiation, impact and reports over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm import Publisher
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.settings import Settings
from tests.support.gateways import Served, serving_gateway, token_of

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
BOOK = {"type": "object", "properties": {"isbn": {"type": "object"}}, "required": ["isbn"]}


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, grants={"ops": ("admin",)})) as gateway:
        yield gateway


def register(settings: Settings, served: Served, name: str, **contract: object) -> str:
    """The token of a module with this contract."""
    token = token_of(settings, name)
    with served.http(token) as http:
        assert http.put(f"/v1/modules/{name}/contract", json={"version": "1.0.0", **contract}).status_code == 200
    return token


def test_a_pair_is_negotiated_by_those_who_are_in_it(settings: Settings, served: Served) -> None:
    web = register(settings, served, "web", produces=[{"type": "page", "schema": BOOK, "target": "sink"}])
    sink = register(settings, served, "sink", accepts={"page": NUMBER})
    other = register(settings, served, "other")
    asked = {"producer": "web", "consumer": "sink"}
    for token in (web, sink):
        with served.http(token) as http:
            (agreement,) = http.post("/v1/negotiate", json=asked).json()["agreements"]
            assert agreement["verdict"]["answer"] == "incompatible"
    with served.http(other) as http:
        assert http.post("/v1/negotiate", json=asked).status_code == 403
    offer = {**asked, "counter": {"by": "consumer", "accepted": {"anyOf": [NUMBER, BOOK]}}}
    with served.http(web) as http:
        assert http.post("/v1/negotiate", json=offer).status_code == 403
        assert http.post("/v1/negotiate", json={**asked, "type": "letter"}).json()["code"] == "not_found"
    with served.http(sink) as http:
        answered = http.post("/v1/negotiate", json=offer)
        assert answered.status_code == 200, answered.text
        (agreement,) = answered.json()["agreements"]
        assert agreement["verdict"]["answer"] == "compatible"


def test_impact_says_who_breaks_and_takes_who_reads_everything(settings: Settings, served: Served) -> None:
    web = register(settings, served, "web", produces=[{"type": "page", "schema": NUMBER, "target": "sink"}])
    register(settings, served, "sink", accepts={"page": NUMBER})
    change = {"contract": {"version": "2.0.0", "accepts": {"page": BOOK}}}
    with served.http(web) as http:
        assert http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"n": 1}}).status_code == 202
        assert http.post("/v1/modules/sink/impact", json=change).status_code == 403
    with served.http(token_of(settings, "watcher", service=True)) as http:
        found = http.post("/v1/modules/sink/impact", json=change).json()
        assert found["status"] == "broken"
        assert found["effects"][0]["partner"] == "web"
        assert http.post("/v1/modules/sink/impact", json={**change, "most": 10**9}).status_code == 400
        assert http.post("/v1/modules/web/impact", json={"contract": {"module": "sink"}}).status_code == 400


def test_a_report_is_json_or_a_file_that_no_browser_runs_here(settings: Settings, served: Served) -> None:
    with Publisher("web", settings=settings) as publisher:
        publisher.publish("sink", "<script>alert(1)</script>", session="run-1")
    with served.http(token_of(settings, "watcher", service=True)) as http:
        whole = http.get("/v1/report", params={"session": "run-1", "rows": "5"}).json()
        assert whole["summary"]["messages"] == 1
        page = http.get("/v1/report", params={"format": "html", "since_s": "3600"})
        assert page.headers["content-disposition"].startswith("attachment")
        assert page.text.startswith("<!doctype html>")
        assert "<script>alert" not in page.text
        assert http.get("/v1/report", params={"format": "md"}).headers["content-type"].startswith("text/markdown")
        assert http.get("/v1/report", params={"session": "nothing"}).status_code == 404
        assert http.get("/v1/report", params={"rows": "1e9"}).status_code == 400
    with served.http(token_of(settings, "web")) as http:
        assert http.get("/v1/report").status_code == 403
