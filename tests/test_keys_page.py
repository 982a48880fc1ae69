"""docs/keys.md has each key that a run leaves, and each that the code can spell."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import redis

from claude_comm import Context, Module, Publisher, RetryPolicy, Settings
from claude_comm.names import NEGOTIATION_WORKER, PROGRESS_WORKER, Keys
from claude_comm.runtime import private_server, worker_processes
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.key_page import PAGE, unlisted
from tests.support.pipelines import document, module, results, step, up
from tests.support.waiting import wait_until

# Words that stand for one name each.
GIVEN = {
    "module": "m",
    "topic": "t",
    "target": "m",
    "stream": "ns:{m:m}:inbox",
    "instance": "i",
    "session": "s",
    "task": "t",
}
JOINED = document(
    step("split", after=[]),
    step("left", after="split"),
    step("right", after="split"),
    step("join", after=["left", "right"]),
)


def sink_of(settings: Settings) -> Module:
    sink = Module("sink", settings=settings, topics=["news"], dedup_s=60, max_lag=100, retry=RetryPolicy(attempts=1))

    @sink.handles()
    def handle(payload: int, context: Context) -> int:
        if payload == 2:
            raise ValueError("no")
        if payload == 3:
            context.send("nobody-there", {"x": 1})
        return payload

    return sink


def do_everything(client: Client, settings: Settings) -> None:
    """Messages at once and later, to a module and a topic; a burial, a request, a negotiation, a pipeline."""
    with up(client, settings, sink_of(settings)), Publisher("src", settings=settings) as publisher:
        publisher.negotiate("sink", int)
        publisher.publish("topic:news", 1)
        publisher.publish_many("sink", [1, 2, 3])
        publisher.publish("sink", 4, delay_s=3600)
        publisher.publish("topic:news", 4, delay_s=3600)
        assert publisher.request("sink", 5, timeout_s=60) == 5
        steps = [module(settings, name, lambda payload: payload) for name in ("split", "left", "right", "join")]
        with up(client, settings, *steps):
            results(client, settings, JOINED, [{"n": 1}])


def test_a_run_leaves_no_key_that_the_page_does_not_have(home: Path) -> None:
    settings = Settings(home=home)
    private_server.ensure(home)
    worker_processes.start(settings, NEGOTIATION_WORKER, PROGRESS_WORKER)
    server = redis.Redis(unix_socket_path=str(private_server.socket_path(home)))
    keys = Keys(settings.namespace)
    with connect(settings) as client:
        do_everything(client, settings)
        wait_until(lambda: bool(server.exists(keys.projections)))
        left = sorted(key.decode() for key in server.scan_iter(count=1000))
        bounded = {key for key in left if server.ttl(key) != -1}
    kinds = ("inbox", "later", "dead", "events", "seen", "topic", "join:s", "contracts", "sessions", "rq:workers")
    assert all(any(kind in key for key in left) for kind in kinds), left
    assert unlisted(left, settings.namespace) == []
    # What RQ keeps of one job or one life of a worker has an end by itself.
    assert {key for key in left if key.startswith(("rq:job:", "rq:worker:", "rq:done:"))} <= bounded


def test_the_page_has_each_key_that_the_code_can_spell() -> None:
    keys = Keys("ns")
    spelled = [key for name, member in vars(Keys).items() if (key := _key(keys, name, member))]
    assert len(spelled) > 20
    assert unlisted(spelled, "ns") == []


def test_a_key_that_is_not_on_the_page_is_found() -> None:
    assert unlisted(["ns:{registry}:strange", "ns:{m:a}:inbox", "rq:strange"], "ns") == [
        "ns:{registry}:strange",
        "rq:strange",
    ]
    assert "TTL" in PAGE.read_text(encoding="utf-8")


def _key(keys: Keys, name: str, member: Any) -> str:
    if isinstance(member, property):
        return str(getattr(keys, name))
    if name.startswith("_") or not inspect.isfunction(member) or name == "parse_stream":
        return ""
    parameters = list(inspect.signature(member).parameters)[1:]
    return str(member(keys, *(GIVEN.get(parameter, "x") for parameter in parameters)))
