"""Pipeline runs that were started here: each on a thread of its own, as `run-pipeline` is a process of its own.

Law: a run drives nothing: when this gateway ends, what is on its way goes on, and whoever starts the run again with the
same pipeline and inputs gathers it and sends the rest. What came out of the last runs is kept in memory.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Literal

import msgspec

from claude_comm.client.pipeline.results import as_json
from claude_comm.client.pipeline.run import Run
from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.core.errors import GatewayRefusal
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.tally import Ended, Progress
from claude_comm.transport.connect import connect

# Runs at once, and ended ones whose results are kept.
MOST, KEPT = 8, 32
_LOOK_S = 0.2


class Stopped(Exception):
    """The gateway ends."""


class ActiveRun(msgspec.Struct):
    """One run here. `results` are there once it has ended, in the order of the inputs."""

    session: str
    state: Literal["running", "complete", "cut off"] = "running"
    progress: Progress | None = None
    results: list[Ended] | None = None
    trouble: str = ""


class ActiveRuns:
    """Those of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._runs: dict[str, ActiveRun] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._stopping = threading.Event()
        gateway.on_drain.append(self.stop)

    def find(self, session: str) -> ActiveRun | None:
        return self._runs.get(session)

    def require_room(self, session: str) -> None:
        """Raises GatewayRefusal while that run, or too many others, are under way."""
        alive = [name for name, thread in self._threads.items() if thread.is_alive()]
        if session in alive:
            raise GatewayRefusal(409, "still_runs", f"the run {session} is under way here: wait for its end.")
        if len(alive) >= MOST or self._stopping.is_set():
            raise GatewayRefusal(503, "busy", f"{MOST} runs are under way here: ask again in a while.", retry_s=5.0)

    def start(self, record: RunSession, inputs: list[Any]) -> ActiveRun:
        """Begins a run, or goes on with one."""
        self._forget()
        running = self._runs[record.session] = ActiveRun(record.session)
        thread = threading.Thread(target=self._run, args=(record, inputs, running), name=f"run {record.session}")
        self._threads[record.session] = thread
        thread.start()
        return running

    async def stop(self) -> None:
        """Lets go of all runs: they can be gone on with."""
        self._stopping.set()
        for thread in self._threads.values():
            await asyncio.to_thread(thread.join)

    def _run(self, record: RunSession, inputs: list[Any], running: ActiveRun) -> None:
        try:
            with connect(self._gateway.settings) as client:
                run = Run(client, self._gateway.settings, record, iter(inputs), total=len(inputs))
                run.go(lambda run: self._seen(run, running), _LOOK_S)
                running.results = [as_json(ended) for ended in run.tally.results(all_=True)]
            running.state = "complete"
        except Stopped:
            running.state, running.trouble = "cut off", "the gateway ended: start it again with resume."
        except ClaudeCommError as error:
            running.state, running.trouble = "cut off", str(error)
            self._gateway.log.warning("gateway.run_cut_off", session=record.session, error=str(error))
        finally:
            if running.state == "running":  # a fault of ours, which the thread reports
                running.state, running.trouble = "cut off", "the gateway failed at it; its log says why."

    def _seen(self, run: Run, running: ActiveRun) -> None:
        running.progress = run.tally.progress(time.monotonic(), sent=run.sent, total=run.total)
        if self._stopping.is_set() and not run.over:
            raise Stopped

    def _forget(self) -> None:
        ended = [name for name, thread in self._threads.items() if not thread.is_alive()]
        for name in ended[: max(0, len(ended) - KEPT + 1)]:
            del self._runs[name], self._threads[name]
