"""Garbage in every kind of key, while a module, a publisher with an outbox and all workers live: none of them ends."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from claude_comm import Settings
from claude_comm.names import Keys, job_queue
from claude_comm.negotiation.agreement import Question
from claude_comm.ops.key_kinds import KINDS
from claude_comm.runtime import jobs, private_server, worker_processes
from claude_comm.store.database import open_to_read
from tests.support import garbage
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until

MODULE = """
from claude_comm import Module
sink = Module("sink", topics=["news"], dedup_s=60, max_lag=1_000_000)

@sink.handles()
def handle(payload: int) -> int:
    return payload

sink.run()
"""
# A line in for each message; a line out once it is published and answered.
PUBLISHER = """
import sys
from claude_comm import Publisher
with Publisher("src", outbox=sys.argv[1]) as publisher:
    for line in sys.stdin:
        number = int(line)
        publisher.publish("sink", number)
        publisher.publish("topic:news", number)
        print(publisher.request("sink", number, timeout_s=600), flush=True)
"""
# The negotiation worker puts aside what is none of its jobs.
KEPT = {kind.name for kind in KINDS if not kind.name.startswith("rq:")}


class Stage:
    """A home in which everything lives."""

    def __init__(self, home: Path) -> None:
        # More than the garbage that the module will bury: what lay there before is to be seen.
        self.home, self.settings = home, Settings(home=home, keep_dead=1_000_000)
        self.keys = Keys(self.settings.namespace)
        self.outbox = home / "src.outbox"
        self.server = redis.Redis(unix_socket_path=str(private_server.ensure(home)))
        self.workers = {service.pid for service in worker_processes.start(self.settings, *worker_processes.WORKERS)}
        self.module, self.publisher = self._child(MODULE), self._child(PUBLISHER, str(self.outbox))
        wait_until(lambda: self.server.zcard(self.keys.instances) > 0, what="the module runs")

    def _child(self, program: str, *words: str) -> subprocess.Popen[str]:
        with (self.home / "children.err").open("a") as errors:
            return subprocess.Popen(
                [sys.executable, "-c", program, *words],
                env=child_environ(CLAUDE_COMM_HOME=str(self.home)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def exchange(self, number: int) -> None:
        """A message, one to the topic, and a request with its reply."""
        assert self.publisher.stdin is not None
        assert self.publisher.stdout is not None
        print(number, file=self.publisher.stdin, flush=True)
        assert self.publisher.stdout.readline() == f"{number}\n", self.told()

    def told(self) -> str:
        return (self.home / "children.err").read_text()

    def handled(self) -> int:
        """How many messages and requests of the publisher the projection knows as handled."""
        with open_to_read(self.settings.database) as database:
            rows = database.rows("SELECT count(*) FROM deliveries WHERE status = 'handled'")
        return int(rows[0][0])

    def all_live(self) -> bool:
        services = [worker_processes.running(self.home, name) for name in worker_processes.WORKERS]
        works = all(service is not None and service.state == "works" for service in services)
        same = {service.pid for service in services if service} == self.workers
        return works and same and self.module.poll() is None and self.publisher.poll() is None

    def comm(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "claude_comm", *words],
            env=child_environ(CLAUDE_COMM_HOME=str(self.home)),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def close(self) -> None:
        for child in (self.publisher, self.module):
            child.terminate()
            child.communicate(timeout=PATIENCE_S)
        self.server.close()


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    stage = Stage(home)
    yield stage
    stage.close()


def asked(stage: Stage, number: int) -> Any:
    """A question that the negotiation worker has not answered yet."""
    question = Question(producer="a", consumer="b", produced={"const": number}, accepted={"type": "integer"})
    return jobs.submit(stage.settings.namespace, f"unix://{private_server.socket_path(stage.home)}", question)


def live_through(stage: Stage, values: int) -> None:
    """Messages, a topic's, requests and a negotiation go their way before and after."""
    stage.exchange(1)
    garbage.plant(stage.server, stage.keys, values=values, seed=values)
    names_each_kind(stage)
    for number in range(2, 6):
        stage.exchange(number)
    wait_until(lambda: stage.handled() >= 15, what="the projection knows what was handled")
    wait_until(lambda: not stage.server.llen(f"rq:queue:{job_queue(stage.keys.namespace)}"), what="no job waits")
    assert asked(stage, values) is not None
    wait_until(stage.all_live, what="all workers work, in the processes that began")


def names_each_kind(stage: Stage) -> None:
    ran = stage.comm("status", "--json")
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)["unreadable"]
    # What the module is to remember of what it handled may have reached the end of its life meanwhile.
    gone = set() if stage.server.exists(stage.keys.seen("sink")) else {"seen"}
    assert {row["kind"] for row in rows} >= KEPT - gone
    assert all(row["why"] and row["remove"] for row in rows)


@pytest.mark.long
def test_everything_lives_on_beside_garbage_in_each_kind_of_key(stage: Stage) -> None:
    live_through(stage, 100)


@pytest.mark.long
@pytest.mark.skipif(os.environ.get("GARBAGE") != "all", reason="GARBAGE=all: minutes on a busy machine")
def test_everything_lives_on_beside_ten_thousand_values_in_each_kind_of_key(stage: Stage) -> None:
    """The outbox is emptied, and the demo runs beside it all."""
    live_through(stage, 10_000)
    shown = stage.comm("status")
    assert (shown.returncode, "unreadable   agreements" in shown.stdout, "\x1b" in shown.stdout) == (0, True, False)
    wait_until(lambda: not _kept(stage.outbox), what="the outbox is empty")
    played = stage.comm("demo")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "0 messages failed, 0 waiting" in played.stdout
    assert stage.all_live()


def _kept(outbox: Path) -> int:
    """How many messages the outbox holds."""
    with closing(sqlite3.connect(outbox)) as database:
        return int(database.execute("SELECT count(*) FROM outbox").fetchone()[0])
