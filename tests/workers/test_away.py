"""Workers that are started before their server: they wait, say so once, and come up with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from claude_comm.names import JANITOR_WORKER, NEGOTIATION_WORKER, PROGRESS_WORKER
from claude_comm.runtime import private_server, worker_processes
from tests.support.errors_file import errors_to
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until

SAID = {JANITOR_WORKER: "janitor", PROGRESS_WORKER: "projection", NEGOTIATION_WORKER: "worker"}


def state(home: Path, name: str) -> str:
    service = worker_processes.running(home, name)
    return "" if service is None else service.state


@pytest.mark.parametrize("server", ["away", "a replica", "full", "with a password"])
@pytest.mark.parametrize("name", SAID)
def test_a_worker_that_starts_before_its_server_serves_comes_up_with_it(
    home: Path, tmp_path: Path, name: str, server: str
) -> None:
    path = private_server.ensure(home)
    with redis.Redis(unix_socket_path=str(path)) as admin:
        away = {
            "away": lambda: private_server.stop(home),
            "a replica": lambda: admin.replicaof("127.0.0.1", 1),
            "full": lambda: admin.config_set("maxmemory", 1),
            "with a password": lambda: admin.config_set("requirepass", "secret"),
        }
        back = {
            "away": lambda: private_server.ensure(home),
            "a replica": lambda: admin.replicaof("NO", "ONE"),
            "full": lambda: admin.config_set("maxmemory", 0),
            "with a password": lambda: admin.config_set("requirepass", ""),
        }
        away[server]()
        environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_URL=f"unix://{path}")
        words = [sys.executable, "-m", "claude_comm", "worker", name]
        with errors_to(tmp_path) as errors, subprocess.Popen(words, env=environ) as worker:
            try:
                if server != "full":
                    wait_until(lambda: state(home, name) == "waits", what="it waits")
                    wait_until(lambda: f"{SAID[name]}.interrupted" in errors.events(), what="a word about it")
                back[server]()
                wait_until(lambda: state(home, name) == "works", what="it works")
                assert worker.poll() is None
            finally:
                worker.terminate()
            assert worker.wait(PATIENCE_S) == 0
    assert errors.events().count(f"{SAID[name]}.interrupted") == (0 if server == "full" else 1)
