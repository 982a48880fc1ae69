"""Pipelines: a chain, and a fan-out with its fan-in, run to their end on a process for each module.

No peer runs either without an orchestrator, so what stands beside them is the same run of a chain of one step. Every
handler returns what it was given; each input is a message to each step, each with its ack and its event, and a part a
branch at the join. All processes share the machine with the server.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, rates, rounds
from claude_comm.client.pipeline.preparation import prepare
from claude_comm.client.pipeline.run import Run
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.pipeline.weighing import Ask
from claude_comm.transport.connect import connect

COUNT, ROUNDS, START_TIMEOUT_S = 5_000, 3, 30.0
NAMES = ("split", "left", "right", "join", "last")
_ASK = Ask(policy="closed-producer", budget_ms=2_000, clock=None)
_MODULE = """
import sys
from claude_comm import Module
from benchmarks.place import Place

module = Module(sys.argv[1], settings=Place(sys.argv[2]).settings())

@module.handles()
def same(payload: object) -> object:
    return payload

module.run()
"""
DIAMOND = [
    {"name": "split", "version": "*", "after": []},
    {"name": "left", "version": "*", "after": "split"},
    {"name": "right", "version": "*", "after": "split"},
    {"name": "join", "version": "*", "after": ["left", "right"]},
    {"name": "last", "version": "*", "after": "join"},
]
WAYS = {
    "one step": DIAMOND[:1],
    "five steps in a line": [{"name": name, "version": "*"} for name in NAMES],
    "a fan-out and a fan-in": DIAMOND,
}


def main() -> list[Result]:
    with place() as where, _modules(where):
        numbers = iter(range(1_000_000))

        def run(name: str) -> None:
            _run(where, WAYS[name], f"{name.rsplit(maxsplit=1)[-1]}-{next(numbers)}")

        took = rounds({name: lambda name=name: run(name) for name in WAYS}, ROUNDS)
    note = f"{COUNT:,} inputs a round, a process for each of the five modules."
    return [rates("Pipelines", took, dict.fromkeys(WAYS, COUNT), note=note)]


def _run(where: Place, steps: list[dict[str, Any]], session: str) -> None:
    settings = where.settings()
    with connect(settings) as client:
        document = {"pipeline_name": "bench", "modules": steps}
        keys = Keys(settings.namespace)
        record = prepare(client, keys, document, "the pipeline", session, _ASK, allow_undeclared=True)
        run = Run(client, settings, record, ({"n": n} for n in range(COUNT)))
        run.go(lambda _run: None, 1.0)
    if run.tally.done != COUNT:
        raise RuntimeError(f"{run.tally.done} of {COUNT} inputs came out")


@contextmanager
def _modules(where: Place) -> Iterator[None]:
    words = [[sys.executable, "-c", _MODULE, name, where.home] for name in NAMES]
    processes = [subprocess.Popen(word, stderr=subprocess.DEVNULL) for word in words]
    try:
        _wait_for(where)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _wait_for(where: Place) -> None:
    settings, deadline = where.settings(), time.monotonic() + START_TIMEOUT_S
    with connect(settings) as client:
        while set(NAMES) - set(client.run(registry.names(Keys(settings.namespace)))):
            if time.monotonic() > deadline:
                raise RuntimeError("the modules did not come up")
            time.sleep(0.05)
