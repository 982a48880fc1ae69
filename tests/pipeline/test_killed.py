"""A step that is killed in the middle, and a run that is killed: both go on, and each input comes out once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.pipeline.preparation import resumed
from claude_comm.client.pipeline.run import Run
from claude_comm.effects import Command
from claude_comm.envelope import decode
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.tally import Finished
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, step, up
from tests.support.waiting import PATIENCE_S, wait_until

LEFT = """
from claude_comm import Module

left = Module("left", lease_s=1.0)

@left.handles()
def double(payload: dict) -> dict:
    return {"n": payload["n"] * 2}

left.run()
"""
PIPELINE = document(
    step("split", after=[]),
    step("left", after="split"),
    step("right", after="split"),
    step("join", after=["left", "right"]),
    step("last", after="join"),
)


class Killed(Exception):
    """The run ends here, as if its process had been killed."""


@contextmanager
def child(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", LEFT], env=environ, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def split(payload: Any) -> Any:
    return payload


def right(payload: Any) -> Any:
    return {"n": payload["n"] * 3}


def last(payload: Any) -> Any:
    return payload["left"]["n"] + payload["right"]["n"]


def survives(settings: Settings, client: Client, environ: dict[str, str], count: int) -> None:
    """A third of the way `left` is killed, and started again; two thirds of the way the run is killed, and resumed."""
    keys = Keys(settings.namespace)
    inputs = [{"n": n} for n in range(count)]
    modules = [
        module(settings, "split", split),
        module(settings, "right", right),
        module(settings, "join", lambda payload: payload),
        module(settings, "last", last),
    ]
    with up(client, settings, *modules), child(environ) as first:
        wait_until(lambda: "left" in client.run(registry.names(keys)), what="the registration")
        session = prepared(client, settings, PIPELINE)

        def kill(run: Run) -> None:
            if run.tally.done > count // 3:
                first.kill()
                first.wait(PATIENCE_S)
                raise Killed

        with pytest.raises(Killed):
            Run(client, settings, session, iter(inputs), window=200).go(kill, 0.0)
        with child(environ):

            def stop(run: Run) -> None:
                if run.tally.done > 2 * count // 3:
                    raise Killed

            again = resumed(client, keys, PIPELINE, "s", inputs="")
            with pytest.raises(Killed):
                Run(client, settings, again, iter(inputs), window=200).go(stop, 0.0)
            whole = Run(client, settings, resumed(client, keys, PIPELINE, "s", inputs=""), iter(inputs), window=200)
            whole.go(lambda _run: None, 1.0)
            results = list(whole.tally.results())
    assert results == [Finished(input=n, result=5 * n) for n in range(count)]
    assert_each_once(client, keys, count)
    assert whole.session.state == "complete"


def assert_each_once(client: Client, keys: Keys, count: int) -> None:
    """A step that was done again has sent the same message again: as an identity each input ended once."""
    entries = client.data.one(Command(("XRANGE", keys.inbox(collector("s")), "-", "+")))
    ids = Counter(decode(fields[1]).id for _, fields in entries)
    assert len(ids) == count
    parts = client.data.one(Command(("HGETALL", keys.join("join", "s"))))
    assert all(value == b"1" for value in parts.values()), "a part is left that waits for another"
    assert len(parts) == count


def test_a_killed_step_and_a_killed_run_lose_and_double_no_input(
    settings: Settings, client: Client, environ: dict[str, str]
) -> None:
    survives(settings, client, environ, 300)


@pytest.mark.long
def test_ten_thousand_inputs_survive_a_killed_step_and_a_killed_run(
    settings: Settings, client: Client, environ: dict[str, str]
) -> None:
    survives(settings, client, environ, 10_000)


@pytest.mark.long
def test_items_of_lists_survive_a_killed_step(settings: Settings, client: Client, environ: dict[str, str]) -> None:
    """Each item is in its list once, whichever life of the step between did it."""
    keys, count = Keys(settings.namespace), 1_000
    pipeline = document(step("pages", split=True), step("left"), step("join", gather="pages"))
    modules = [
        module(settings, "pages", lambda n: [{"n": item} for item in range(1 + n % 7)]),
        module(settings, "join", lambda items: [item["n"] for item in items]),
    ]
    with up(client, settings, *modules), child(environ) as first, ExitStack() as later:
        wait_until(lambda: "left" in client.run(registry.names(keys)), what="the registration")

        def kill(run: Run) -> None:
            if run.tally.done > count // 3 and first.poll() is None:
                first.kill()
                first.wait(PATIENCE_S)
                later.enter_context(child(environ))

        whole = Run(client, settings, prepared(client, settings, pipeline), iter(range(count)), window=100)
        whole.go(kill, 0.0)
        results = list(whole.tally.results())
    assert results == [Finished(input=n, result=[2 * item for item in range(1 + n % 7)]) for n in range(count)]
    assert_each_once(client, keys, count)
