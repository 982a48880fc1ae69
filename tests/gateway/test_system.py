"""Contracts, agreements, verdicts, sessions and dead letters over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from claude_comm import Consumer, Publisher
from claude_comm.gateway.core.options import GatewaySettings, Limits
from claude_comm.names import Keys
from claude_comm.ops import audit
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.gateways import Served, serving_gateway, token_of

PAGE = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    options = GatewaySettings(port=0, limits=Limits(budget_ms=500), grants={"ops": ("admin",)})
    with serving_gateway(settings, options) as gateway:
        yield gateway


def test_a_module_registers_its_own_contract_and_sends_under_it(settings: Settings, served: Served) -> None:
    sink, web = token_of(settings, "sink"), token_of(settings, "web")
    with served.http(sink) as http:
        accepts = {"version": "1.0.0", "accepts": {"page": PAGE}}
        assert http.put("/v1/modules/sink/contract", json=accepts).json()["release"]["version"] == "1.0.0"
        assert http.put("/v1/modules/web/contract", json=accepts).status_code == 403
        bad = http.put("/v1/modules/sink/contract", json={"version": "2.0.0", "accepts": {"page": {"type": "txt"}}})
        assert bad.status_code == 422
    with served.http(web) as http:
        produces = [{"type": "page", "schema": PAGE, "target": "sink"}]
        assert http.put("/v1/modules/web/contract", json={"version": "1.0.0", "produces": produces}).status_code == 200
        sent = http.post("/v1/messages", json={"target": "sink", "type": "page", "data": {"number": 1}})
        assert sent.status_code == 202
        assert http.get("/v1/modules/sink/contract").json()["accepts"] == {"page": PAGE}
        assert http.get("/v1/modules/nobody/contract").status_code == 404
        assert http.get("/v1/modules").status_code == 403
    with served.http(token_of(settings, "watcher", service=True)) as http:
        (agreement,) = http.get("/v1/agreements").json()["agreements"]
        assert (agreement["producer"], agreement["consumer"]) == ("web", "sink")
        modules = http.get("/v1/modules").json()["modules"]
        assert {module["record"]["module"] for module in modules} == {"sink", "web"}


def test_verdicts_are_given_within_the_budget_of_the_gateway(settings: Settings, served: Served) -> None:
    with served.http(token_of(settings, "web")) as http:
        refuted = http.post("/v1/check", json={"produced": {"type": "string"}, "accepted": {"type": "integer"}}).json()
        assert refuted["answer"] == "incompatible"
        assert isinstance(refuted["witness"], str)
        outside = {"produced": {"$ref": "file:///etc/passwd"}, "accepted": {"$ref": "http://127.0.0.1:1/x"}}
        refused = http.post("/v1/check", json=outside)
        assert refused.status_code == 422
        assert refused.json()["code"] == "schema_error"


def test_a_hostile_schema_with_an_enormous_budget_takes_no_more_than_the_gateway_gives(settings: Settings) -> None:
    """An automaton of two to the 18th states, for ever if need be; others are answered meanwhile."""
    states = {"type": "string", "pattern": "^(a|b)*a(a|b){18}$"}
    other = {"type": "string", "pattern": "^(a|b)*b(a|b){19}(a|b)*$|^(a|b){0,18}$|^(a|b)*a(a|b){17}[ab]$|c"}
    asked = {"produced": states, "accepted": other, "budget_ms": 1e12}
    options = GatewaySettings(port=0, limits=Limits(budget_ms=5))
    with serving_gateway(settings, options) as served, served.http(token_of(settings, "web")) as http:
        verdict = http.post("/v1/check", json=asked).json()
        assert verdict["answer"] == "undecided"
        assert "within 5 ms" in verdict["why"]
        for budget in (float("-1e300"), 0, "for ever", None):
            assert http.post("/v1/check", json={**asked, "budget_ms": budget}).status_code in (200, 400)


def test_sessions_come_from_the_projection(settings: Settings, served: Served) -> None:
    with Publisher("web", settings=settings) as publisher:
        publisher.publish("sink", 1, session="run-1")
    with served.http(token_of(settings, "watcher", service=True)) as http:
        assert http.get("/v1/sessions").json()["sessions"]
        assert http.get("/v1/sessions/run-1").status_code == 200
        assert http.get("/v1/sessions/nothing").json()["code"] == "not_found"
        assert http.get("/v1/sessions", params={"limit": "-1"}).status_code == 400


def test_buried_messages_are_shown_and_put_back_by_an_administrator(
    settings: Settings, client: Client, served: Served
) -> None:
    ops, sink = token_of(settings, "ops", service=True), token_of(settings, "sink")
    with served.http(sink) as http:
        http.put("/v1/modules/sink/contract", json={"version": "1.0.0", "accepts": {}})
    with Publisher("web", settings=settings) as publisher, Consumer("sink", settings=settings) as consumer:
        publisher.publish("sink", 1)
        (delivery,) = consumer.read(wait_s=5)
        consumer.fail(delivery, "no room")
    with served.http(sink) as http:
        (group,) = http.get("/v1/modules/sink/dead").json()["groups"]
        assert (group["reason"], group["count"]) == ("no room", 1)
        assert http.get("/v1/modules/web/dead").status_code == 403
        assert http.post("/v1/modules/sink/dead/redrive", json={}).status_code == 403
    with served.http(ops) as http:
        assert http.post("/v1/modules/sink/dead/redrive", json={"dry_run": True}).json()["would_redrive"] == 1
        assert http.post("/v1/modules/sink/dead/redrive", json={}).json()["redriven"] == 1
        (act,) = client.run(audit.page(Keys(settings.namespace), limit=9)).acts
        assert (act.act, act.target, act.by, act.outcome) == ("redrive", "sink", "ops", "1 put back")
    with Consumer("sink", settings=settings) as consumer:
        assert consumer.read(wait_s=5)[0].payload() == 1
