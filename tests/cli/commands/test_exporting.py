"""`export asyncapi`, `export schemas`, `export agent-card` and `export cloudevents`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Publisher, Settings

DOCUMENT = {
    "module": "sink",
    "version": "1.0.0",
    "accepts": {"count": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    "produces": [{"type": "sum", "schema": {"type": "integer"}, "target": "display"}],
}


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


def test_every_live_version_is_written_and_those_that_are_retired_are_not(
    run: Any, file: Callable[..., str], tmp_path: Path
) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        run("module", "register", file({**DOCUMENT, "version": version}))
    run("module", "retire", "sink", "1.0.0")
    whole = run("export", "asyncapi").json
    received = [held for held in whole["operations"].values() if held["action"] == "receive"]
    assert [(held["x-version"], held["x-offered"]) for held in received] == [("2.0.0", True), ("1.1.0", False)]
    assert list(run("export", "schemas").json["$defs"])[:2] == [
        "sink/2.0.0/accepts/count",
        "sink/2.0.0/produces/sum/display",
    ]
    ran = run("export", "asyncapi", "sink", "-o", tmp_path / "document.json")
    assert (ran.code, ran.out) == (0, "")
    assert json.loads((tmp_path / "document.json").read_text()) == whole
    assert run("export", "asyncapi", "sinc").code == 3
    assert run("export", "asyncapi", "-o", tmp_path / "no" / "document.json").code == 2


def test_a_card_names_the_gateway_first_and_never_a_login(
    run: Any, file: Callable[..., str], environ: dict[str, str]
) -> None:
    run("module", "register", file(DOCUMENT))
    card = run("export", "agent-card", "sink", "--url", "https://gate.example/a2a", "--binding", "HTTP+JSON").json
    assert [interface["protocolBinding"] for interface in card["supportedInterfaces"]] == [
        "HTTP+JSON",
        "urn:claude-comm:binding:streams:1",
    ]
    assert [skill["id"] for skill in card["skills"]] == ["count"]
    run("module", "retire", "sink")
    ran = run("export", "agent-card", "sink")
    assert (ran.code, ran.out) == (2, "")
    assert "has no live version" in ran.err


def test_messages_are_written_as_cloudevents(run: Any, settings: Settings) -> None:
    with Publisher("sparta", settings=settings) as publisher:
        publisher.publish("sink", {"n": 1}, type="count", session="s")
        publisher.publish("sink", b"\x00\x01", type="raw")
    raw, count = run("export", "cloudevents", "--target", "sink").json
    assert (count["specversion"], count["type"], count["data"], count["session"]) == ("1.0", "count", {"n": 1}, "s")
    assert (raw["data_base64"], raw["datacontenttype"]) == ("AAE=", "application/octet-stream")
    assert "payloadsha256" not in count
