"""Pipelines over HTTP: checked, started, followed to their results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.pipelines import document, module, step, up
from tests.support.waiting import wait_until

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TEXT = {"type": "string"}
WHOLE = document(step("a", input_schema=NUMBER, output_schema=NUMBER))
BROKEN = document(step("a", output_schema=NUMBER), step("b", input_schema=TEXT))


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, grants={"ops": ("admin",)})) as gateway:
        yield gateway


def test_a_pipeline_is_checked_and_what_does_not_fit_is_said(settings: Settings, served: Served) -> None:
    with served.http(token_of(settings, "web")) as http:
        assert http.post("/v1/pipelines/check", json={"pipeline": WHOLE}).json()["problems"] == []
        (hop,) = http.post("/v1/pipelines/check", json={"pipeline": BROKEN}).json()["hops"]
        assert hop["state"] == "incompatible"
        assert http.post("/v1/pipelines", json={"pipeline": WHOLE, "inputs": []}).status_code == 403
        assert http.get("/v1/pipelines").status_code == 403
    with served.http(token_of(settings, "ops", service=True)) as http:
        refused = http.post("/v1/pipelines", json={"pipeline": BROKEN, "inputs": [1]})
        assert (refused.status_code, refused.json()["code"]) == (409, "pipeline_refused")
        assert http.get("/v1/pipelines/nothing").status_code == 404


def test_a_run_is_started_and_its_results_are_in_the_order_of_the_inputs(
    settings: Settings, client: Client, served: Served
) -> None:
    def add_one(payload: Any) -> Any:
        return {"n": payload["n"] + 1}

    with (
        up(client, settings, module(settings, "a", add_one)),
        served.http(token_of(settings, "ops", service=True)) as http,
    ):
        asked = {"pipeline": WHOLE, "inputs": [{"n": 1}, {"n": 2}, "three"], "session": "run-1", "unchecked": True,
                 "allow_undeclared": True}  # fmt: skip
        started = http.post("/v1/pipelines", json=asked)
        assert started.status_code == 202, started.text

        def here() -> dict[str, Any]:
            return dict(http.get("/v1/pipelines/run-1").json().get("here", {"state": "begins"}))

        wait_until(lambda: here()["state"] == "complete")
        results = here()["results"]
        assert [result.get("result") for result in results] == [{"n": 2}, {"n": 3}, None]
        assert results[2]["status"] == "failed"
        (run,) = http.get("/v1/pipelines").json()["runs"]
        assert (run["session"], run["state"]) == ("run-1", "complete")
        assert http.post("/v1/pipelines", json=asked).status_code == 400
        again = http.post("/v1/pipelines", json={**asked, "resume": True})
        assert again.status_code == 202
        wait_until(lambda: here()["state"] == "complete")
        assert here()["results"] == results
