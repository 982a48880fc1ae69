"""`claude-comm impact`: each status in a system of which every part is known, its gate, and its documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from claude_comm import Publisher, Settings
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.registry.contracts import Produced, contract
from claude_comm.transport.driver import Client
from tests.support.command_line import Ran

Run = Callable[..., Ran]


def number(**bounds: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": {"type": "integer", **bounds}}, "required": ["n"]}


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def register(client: Client, settings: Settings) -> Callable[..., None]:
    def register_(name: str, **declared: Any) -> None:
        client.run(registration.register(Keys(settings.namespace), contract(name, **declared)))

    return register_


def send(settings: Settings, source: str, type: str, schema: Any, *payloads: Any, target: str = "sink") -> list[str]:
    with Publisher(source, settings=settings) as publisher:
        publisher.negotiate(target, schema, type=type)
        return [publisher.publish(target, payload, type=type) for payload in payloads]


OLD = {"accepts": {"a": number(), "b": number(), "c": number(), "d": number(), "e": number()}}


def test_each_status_is_told_once(run: Run, file: Any, register: Any, settings: Settings, tmp_path: Path) -> None:
    register("sink", **OLD)
    send(settings, "fits", "a", number(maximum=5), {"n": 5})
    send(settings, "lacks", "b", number(), {"n": 1})
    send(settings, "rarely", "c", number(), {"n": 1}, {"n": 9})
    broken = send(settings, "often", "d", number(), {"n": 1}, {"n": 11}, {"n": 12})[1:]
    defaulted = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "unit": {"type": "string", "default": "m"}},
        "required": ["n", "unit"],
    }
    limit = number(maximum=10)
    new = {"version": "2.0.0", "accepts": {"a": limit, "b": defaulted, "c": limit, "d": limit, "e": limit}}
    result = run("impact", "sink", file(new), "--json", "--ids", tmp_path / "ids.txt")
    assert {(effect["partner"], effect["status"]) for effect in result.json["effects"]} == {
        ("fits", "safe"),
        ("lacks", "adapted"),
        ("rarely", "theoretical"),
        ("often", "broken"),
        ("anyone", "undecided"),
    }
    assert [message["id"] for effect in result.json["effects"] for message in effect.get("failing", [])] == broken
    assert (tmp_path / "ids.txt").read_text().split() == broken
    assert {effect["partner"]: effect["messages"] for effect in result.json["effects"] if "messages" in effect} == {
        "fits": 1,
        "lacks": 1,
        "rarely": 2,
        "often": 3,
    }
    assert result.code == 1
    assert result.json["status"] == "broken"
    assert [coverage["source"] for coverage in result.json["coverage"]] == [
        "partners",
        "messages",
        "history",
        "sessions",
        "pipelines",
    ]


def test_the_same_contract_passes_the_gate(run: Run, file: Any, register: Any, settings: Settings) -> None:
    register("sink", accepts={"a": number()}, produces=[Produced("out", number(), "next")])
    register("next", accepts={"out": number()})
    send(settings, "fits", "a", number(), {"n": 5})
    same = {
        "version": "1.1.0",
        "accepts": {"a": number()},
        "produces": [{"type": "out", "target": "next", "schema": number()}],
    }
    result = run("impact", "sink", file(same), "--json")
    assert (result.code, result.json["status"]) == (0, "safe"), result.json
    worse = {**same, "produces": [{"type": "out", "target": "next", "schema": {"type": "object"}}]}
    result = run("impact", "sink", file(worse), "--json")
    assert (result.code, result.json["status"]) == (1, "broken")
    [effect] = [effect for effect in result.json["effects"] if effect["status"] == "broken"]
    assert (effect["partner"], effect["direction"]) == ("next", "sends")
    assert "n" not in effect["witness"]


def test_documents_for_a_pull_request_and_a_build_server(
    run: Run, file: Any, register: Any, settings: Settings, tmp_path: Path
) -> None:
    register("sink", accepts={"a": number()})
    ids = send(settings, "s", "a", number(), {"n": 50})
    new = file({"version": "2.0.0", "accepts": {"a": number(maximum=10)}})
    report = tmp_path / "junit.xml"
    result = run("impact", "sink", new, "--format", "md", "--junit", report)
    assert result.code == 1
    assert ids[0] in result.out
    suite = ElementTree.parse(report).getroot()[0]
    assert suite.attrib["failures"] == "1"
    assert ids[0] in (suite[0][0].text or "")
    assert json.loads(run("impact", "sink", new, "--json").out)["status"] == "broken"


def test_a_module_that_nobody_knows_is_not_found(run: Run, file: Any) -> None:
    result = run("impact", "nobody", file({"accepts": {"a": number()}}))
    assert result.code == 3


def test_a_pipeline_is_weighed_before_it_runs(run: Run, file: Any, register: Any) -> None:
    register("source", accepts={"x": number()}, replies={"x": number()})
    register("sink", accepts={"a": number()}, replies={"a": number()})
    steps = [{"name": "source", "version": "*"}, {"name": "sink", "version": "^1.0"}]
    pipe = file({"pipeline_name": "later", "modules": steps})
    wider = {"version": "1.1.0", "accepts": {"a": number()}, "replies": {"a": number()}}
    result = run("impact", "sink", file(wider), "--pipeline", pipe, "--json")
    [effect] = [effect for effect in result.json["effects"] if effect["partner"] == "pipeline later"]
    assert (effect["status"], effect["why"]) == ("safe", "source -> sink: every message fits, proved.")
    narrower = {**wider, "accepts": {"a": number(maximum=3)}}
    result = run("impact", "sink", file(narrower), "--pipeline", pipe, "--json")
    [effect] = [effect for effect in result.json["effects"] if effect["partner"] == "pipeline later"]
    assert (result.code, effect["status"], effect["witness"]["n"] > 3) == (1, "broken", True)
    result = run("impact", "sink", file({**wider, "version": "2.0.0"}), "--pipeline", pipe, "--json")
    [effect] = [effect for effect in result.json["effects"] if effect["status"] == "broken"]
    assert "not '^1.0'" in effect["why"]
    assert "1 pipeline(s) given as a document" in result.json["coverage"][-1]["sentence"]
