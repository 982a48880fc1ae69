"""Pipelines run in the process of the test, on modules that run on its threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from claude_comm import Module, RetryPolicy, Settings
from claude_comm.client.pipeline.preparation import prepare
from claude_comm.client.pipeline.run import Run
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.tally import Ended
from claude_comm.pipeline.weighing import Ask
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.waiting import wait_until

ASK = Ask(policy="closed-producer", budget_ms=2_000, clock=None)
ONCE = RetryPolicy(attempts=1)


def step(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "*", **more}


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"pipeline_name": "p", "modules": list(steps), **more}


def module(settings: Settings, name: str, function: Any, **options: Any) -> Module:
    """A module with one handler, which gives up at its first failure."""
    made = Module(name, settings=settings, retry=ONCE, **options)
    made.handles()(function)
    return made


@contextmanager
def up(client: Client, settings: Settings, *modules: Module) -> Iterator[None]:
    """These modules, registered and running."""
    keys = Keys(settings.namespace)
    with ExitStack() as stack:
        for each in modules:
            stack.enter_context(running(each))
        names = {each.name for each in modules}
        wait_until(lambda: names <= set(client.run(registry.names(keys))), what="the registrations")
        yield


def prepared(client: Client, settings: Settings, pipeline: Any, session: str = "s", **options: Any) -> RunSession:
    keys = Keys(settings.namespace)
    return prepare(client, keys, pipeline, "the pipeline", session, ASK, **{"allow_undeclared": True, **options})


def run(client: Client, settings: Settings, session: RunSession, inputs: Iterable[Any], **options: Any) -> Run:
    """Runs it to its end."""
    made = Run(client, settings, session, iter(inputs), **options)
    made.go(lambda _run: None, 1.0)
    return made


def results(client: Client, settings: Settings, pipeline: Any, inputs: Iterable[Any], **options: Any) -> list[Ended]:
    """What became of the inputs, in their order."""
    made = run(client, settings, prepared(client, settings, pipeline), inputs, **options)
    return list(made.tally.results())
