"""The user of an operator does what the command line and the MCP server do, with no refusal by the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.names import Keys
from claude_comm.ops import agent_tasks, registration
from claude_comm.registry.contracts import contract
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.access import NewUser, denials
from tests.support.command_line import Ran

CONTRACT = {"module": "c", "version": "1.0.0", "accepts": {"message": {"type": "integer"}}, "topics": ["news"]}
# Each with the exit code that says that it did its work; in this order, for some remove what others look at.
COMMANDS: list[tuple[int, str]] = [
    (0, "module add d --service"), (0, "module revoke d"), (0, "keys"), (0, "status --json"), (0, "metrics"),
    (0, "modules"), (0, "module show b"), (0, "module register FILE"), (0, "agreements"), (0, "graph"),
    (0, "impact c FILE"), (1, "find --name b"), (0, "list"), (0, "send a b 5"),
    (0, "sessions"), (0, "report"), (1, "audit"), (0, "dead list b"), (0, "dead redrive b --dry-run"),
    (0, "dead redrive b"), (0, "dead purge b --yes"), (0, "projection verify"), (0, "blobs list"),
    (0, "blobs verify"), (0, "blobs collect --dry-run"), (0, "blobs collect"), (0, "trim --dry-run"), (0, "trim"),
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
