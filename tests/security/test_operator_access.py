"""The user of an operator does what the command line and the MCP server do, with no refusal by the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.gateway.api.routes import ROUTES
from claude_comm.gateway.core.guard import CSRF_HEADER
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.core.principals import EVERYTHING, Principal
from claude_comm.gateway.dashboard.acts import ACTS
from claude_comm.gateway.dashboard.pages import PAGES
from claude_comm.names import Keys, job_queue
from claude_comm.ops import agent_tasks, registration
from claude_comm.registry.contracts import contract
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.access import NewUser, denials
from tests.support.command_line import Ran
from tests.support.gateways import serving_gateway

CONTRACT = {"module": "c", "version": "1.0.0", "accepts": {"message": {"type": "integer"}}, "topics": ["news"]}
PRODUCES = {"module": "a", "version": "1.0.0", "produces": [{"type": "message", "schema": {"type": "integer"}}]}
# Each with the exit code that says that it did its work; in this order, for some remove what others look at.
COMMANDS: list[tuple[int, str]] = [
    (0, "module add d --service"), (0, "module revoke d"), (0, "keys"), (0, "status --json"), (0, "metrics"),
    (0, "modules"), (0, "module show b"), (0, "module register FILE"), (0, "agreements"), (0, "graph"),
    (0, "impact c FILE"), (1, "find --name b"), (0, "list"), (0, "send a b 5"),
    (0, "sessions"), (0, "report"), (1, "audit"), (0, "dead list b"), (0, "dead redrive b --dry-run"),
    (0, "dead redrive b"), (0, "dead purge b --yes"), (0, "projection verify"), (0, "blobs list"),
    (0, "blobs verify"), (0, "blobs collect --dry-run"), (0, "blobs collect"), (0, "trim --dry-run"), (0, "trim"),
    (0, "trim --jobs --logs"),
    (0, "acl b"), (0, "export asyncapi"), (0, "module retire c"), (0, "unsubscribe b news"), (0, "forget c"),
    (0, "forget b"),
]  # fmt: skip


@pytest.fixture
def operator(
    settings: Settings, client: Client, new_user: NewUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """In a namespace in which a module has handled something, buried something and read a topic."""
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("b", accepts={"type": "integer"})))
    with Publisher("a", settings=settings) as publisher:
        publisher.publish_many("b", range(3))
        publisher.publish("topic:news", 1)
    with Consumer("b", settings=settings, topics=["news"]) as consumer:
        for delivery in consumer.read():
            consumer.fail(delivery, "no")
    client.data.one(Command(("ZADD", f"rq:finished:{job_queue(keys.namespace)}", 9_999_999_999, "answered")))
    user = new_user("operator")
    monkeypatch.chdir(tmp_path)
    Path("contract.json").write_bytes(msgspec.json.encode(CONTRACT))
    for name in ("home", "url", "namespace"):
        monkeypatch.setenv(f"CLAUDE_COMM_{name.upper()}", str(getattr(user, name)))
    return user


@pytest.mark.long
def test_an_operator_runs_the_command_line_under_its_user(
    operator: Settings, settings: Settings, client: Client, run: Callable[..., Ran]
) -> None:
    came: list[tuple[int, str]] = []
    for _, words in COMMANDS:
        ran = run(*words.replace("FILE", "contract.json").split())
        came.append((ran.code, words))
        assert denials(client, settings) == [], words
    assert [pair for pair in came if pair not in COMMANDS] == []


def test_an_operator_keeps_the_tasks_of_agents(operator: Settings, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with connect(operator) as connected:
        connected.run(agent_tasks.begin(keys, "t", b"{}", 60_000))
        connected.run(agent_tasks.durable(keys, "t"))
        connected.run(agent_tasks.ask(keys, "t", "1", b"?"))
        connected.run(agent_tasks.answer(keys, "t", "1", b"!"))
        assert connected.run(agent_tasks.take_round(keys, "t", "1", "m")) == "m"
        assert connected.run(agent_tasks.end(keys, "t", b"{}"))
        assert {"record", "durable", "end"} <= connected.run(agent_tasks.read(keys, "t")).keys()
        assert connected.run(agent_tasks.replies(keys, "a", "t")) == []
    # Redis 7.0 has no WAITAOF, which no user may send there.
    assert {name for name, _ in denials(client, settings)} <= {b"waitaof"}


@pytest.mark.long
def test_a_gateway_and_its_dashboard_are_served_under_the_user_of_an_operator(
    operator: Settings, settings: Settings, client: Client
) -> None:
    """Each route that reads, each that writes, each page, and each act, by somebody who may do all of them."""
    named = {"module": "b", "session": "none", "name": "none", "reference": "1", "id": "none"}
    writes = [
        ("POST", "/v1/messages", {"target": "b", "data": 7, "source": "a"}),
        ("POST", "/v1/requests", {"target": "b", "data": 7, "source": "a", "timeout_s": 0.2}),
        ("PUT", "/v1/modules/a/contract", PRODUCES),
        ("POST", "/v1/negotiate", {"producer": "a", "consumer": "b", "type": "message"}),
        ("POST", "/v1/modules/b/impact", {"contract": {**CONTRACT, "module": "b"}}),
        ("POST", "/v1/modules/b/dead/redrive", {"dry_run": False}),
    ]
    came: list[int] = []
    with serving_gateway(operator, GatewaySettings(port=0)) as served, served.http() as browser:
        code = served.gateway.sessions.new_code(Principal("administrator", EVERYTHING, is_module=False))
        assert browser.get("/login", params={"code": code}).status_code == 303
        session = served.gateway.sessions.find(browser.cookies["claude_comm_session"])
        assert session is not None

        def ask(method: str, path: str, **options: Any) -> None:
            answer = browser.request(method, path.replace(":path", "").format(**named), **options)
            assert denials(client, settings) == [], path
            came.append(answer.status_code)

        for route in ROUTES:
            if route.method == "GET" and "feed" not in route.path and "login" not in route.path:
                ask("GET", route.path)
        for page in PAGES:
            ask("GET", page.path)
        for method, path, body in writes:
            ask(method, path, json=body, headers={CSRF_HEADER: session.csrf})
        for act in ACTS:
            ask("POST", act.path, data={"csrf": session.csrf, "target": "b", "source": "a", "data": "1"})
    assert all(status < 500 for status in came)
